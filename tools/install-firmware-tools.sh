#!/bin/sh
# Installs what the firmware needs from Debian or Ubuntu: cross compilers, emulators, wasm2c, CMake; the Redis of the sweeps' tests, and the browsers of the packages' and the page's
# tests. Does nothing where all is there; where it may not install, it says the command and leaves the tests to skip themselves.
# Example: sh tools/install-firmware-tools.sh
set -eu

packages="gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf
  qemu-system-misc gcc-xtensa-lx106 picolibc-xtensa-lx106-elf gcc-powerpc-linux-gnu libc6-dev-powerpc-cross qemu-user wabt cppcheck cmake redis-server
  clang clang-tidy libclang-rt-dev"
browsers="chromium-headless-shell firefox-esr"
tools="arm-none-eabi-gcc qemu-system-arm riscv64-unknown-elf-gcc qemu-system-riscv32 xtensa-lx106-elf-gcc qemu-system-xtensa
  powerpc-linux-gnu-gcc qemu-ppc wasm2c cppcheck cmake redis-server clang clang-tidy $browsers"

missing=""
for tool in $tools; do
  command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
[ -n "$missing" ] || exit 0

command="apt-get install -y --no-install-recommends $(echo $packages)"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "firmware: not installed:$missing" >&2
  echo "firmware: on Debian and Ubuntu install with: sudo $command" >&2
  exit 0
fi
echo "firmware: installing cross compilers and emulators …" >&2
log=$(mktemp)
if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive $command; } >"$log" 2>&1; then
  tail -5 "$log" >&2
  echo "firmware: could not be installed:$missing; the command was: $command" >&2
fi
# Ubuntu has them as snaps only; the rest is not to fail for that.
for browser in $browsers; do
  if ! command -v $browser >/dev/null 2>&1; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $browser >"$log" 2>&1 ||
      echo "firmware: could not be installed: $browser; the tests that open pages in it skip themselves" >&2
  fi
done
rm -f "$log"
