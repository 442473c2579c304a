/** The parts that nets as C of their own are measured on: emulated, with the flash and SRAM of the part that they stand for. */
import { BOARDS, type Board } from "./boards.js";

const boardNamed = (name: string): Board => BOARDS.find((board) => board.name === name)!;

/** A RISC-V part of WCH's by QEMU's `virt` machine. @param isa as gcc has it; @param cpu what QEMU's rv32 has and has not */
const wch = (
  name: string,
  cpu: string,
  [isa, abi]: readonly [string, string],
  [flashBytes, ramBytes, stackBytes]: readonly [number, number, number],
  has: string,
): Board => {
  const virt = boardNamed("riscv32");
  return {
    ...virt,
    name,
    cpu,
    flashBytes,
    ramBytes,
    stackBytes,
    cpuFlags: [`-march=${isa}`, `-mabi=${abi}`, "-mcmodel=medany", "--specs=picolibc.specs"],
    linkerScript: `${name}.ld`,
    qemu: virt.qemu.flatMap((argument) => (argument === "-M" ? ["-cpu", has, argument] : [argument])),
  };
};

export const CHIP_BOARDS: readonly Board[] = [
  boardNamed("lm3s6965evb"),
  boardNamed("netduinoplus2"),
  boardNamed("microbit"),
  wch(
    "ch32v003",
    "RV32EC, no multiplier",
    ["rv32ec", "ilp32e"],
    [16 << 10, 2 << 10, 512],
    "rv32,i=false,e=true,h=false,m=false,a=false,f=false,d=false",
  ),
  wch(
    "ch32v006",
    "RV32EmC",
    ["rv32emc", "ilp32e"],
    [62 << 10, 8 << 10, 1024],
    "rv32,i=false,e=true,h=false,a=false,f=false,d=false",
  ),
  wch("ch32v203", "RV32IMAC", ["rv32imac", "ilp32"], [64 << 10, 20 << 10, 2048], "rv32,f=false,d=false"),
];
