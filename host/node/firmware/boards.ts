/** The boards the firmware runs on: emulated by QEMU, each linked with its true memory map. */
import { join } from "node:path";
import { BOARD_MEMORIES, type BoardMemory } from "../../firmware/board-memory.js";
import type { FirmwareEngine } from "../../firmware/engines.js";
import { packageRoot } from "../paths.js";

/** The C library's name for an engine. */
export const ENGINE_SYMBOLS: Readonly<Record<FirmwareEngine, string>> = {
  wasm3: "mote_wasm3",
  native: "mote_wasm3_native",
  data: "mote_data",
  aot: "mote_aot",
};

export interface Board extends BoardMemory {
  /** Prefix of the compiler's name. */
  readonly toolchain: string;
  /** For compiler and linker. */
  readonly cpuFlags: readonly string[];
  /** For the linker only: which C library. */
  readonly linkFlags: readonly string[];
  /** In firmware-examples/boards. */
  readonly startup: readonly string[];
  readonly linkerScript: string;
  readonly qemu: readonly string[];
  /** Instructions in a tick of the board's clock, when an instruction takes a nanosecond. */
  readonly instructionsPerTick: number;
  /** Models by name; undefined: all. */
  readonly models?: readonly string[];
}

export const BOARDS_FOLDER = join(packageRoot, "firmware-examples", "boards");

const arm = {
  toolchain: "arm-none-eabi-",
  linkFlags: ["--specs=nano.specs"],
  startup: ["cortex-m.c"],
} as const;

/** No peripherals, no time but the instruction count. */
const machine = (program: string, name: string, ...more: readonly string[]): readonly string[] => [
  program,
  "-M",
  name,
  ...more,
  "-icount",
  "shift=0",
  "-display",
  "none",
  "-monitor",
  "none",
  "-serial",
  "none",
  "-semihosting-config",
  "enable=on,target=native",
  "-kernel",
];

export const BOARDS: readonly Board[] = [
  {
    ...arm,
    ...BOARD_MEMORIES.lm3s6965evb,
    cpuFlags: ["-mcpu=cortex-m3", "-mthumb"],
    linkerScript: "lm3s6965evb.ld",
    qemu: machine("qemu-system-arm", "lm3s6965evb"),
    instructionsPerTick: 80, // SysTick at 12.5 MHz
  },
  {
    ...arm,
    ...BOARD_MEMORIES.netduinoplus2,
    cpuFlags: ["-mcpu=cortex-m4", "-mthumb"],
    linkerScript: "netduinoplus2.ld",
    qemu: machine("qemu-system-arm", "netduinoplus2"),
    instructionsPerTick: 1000 / 168, // SysTick at 168 MHz
  },
  {
    ...arm,
    ...BOARD_MEMORIES.microbit,
    cpuFlags: ["-mcpu=cortex-m0", "-mthumb"],
    linkerScript: "microbit.ld",
    qemu: machine("qemu-system-arm", "microbit"),
    instructionsPerTick: 1000 / 16, // SysTick at 16 MHz
    models: ["lenet5", "lenet300"],
  },
  {
    ...BOARD_MEMORIES.riscv32,
    toolchain: "riscv64-unknown-elf-",
    cpuFlags: ["-march=rv32imac", "-mabi=ilp32", "-mcmodel=medany", "--specs=picolibc.specs"],
    linkFlags: [],
    startup: ["riscv-reset.S", "riscv.c"],
    linkerScript: "riscv32.ld",
    qemu: machine("qemu-system-riscv32", "virt", "-bios", "none"),
    instructionsPerTick: 1, // mcycle
  },
  {
    ...BOARD_MEMORIES.xtensa,
    toolchain: "xtensa-lx106-elf-",
    cpuFlags: ["-mlongcalls", "-mtext-section-literals", "--specs=/usr/lib/xtensa-lx106-elf/picolibc.specs"],
    linkFlags: [],
    startup: ["xtensa.c", "xtensa-integers.c"],
    linkerScript: "xtensa.ld",
    qemu: machine("qemu-system-xtensa", "sim", "-cpu", "lx106", "-semihosting"),
    instructionsPerTick: 25, // CCOUNT at 40 MHz
    models: ["lenet5", "lenet300"],
  },
];

/** Programs that building for and running these boards takes. */
export function toolsOf(boards: readonly Board[], engines: readonly FirmwareEngine[]): string[] {
  const tools = new Set<string>(engines.includes("aot") ? ["wasm2c"] : []);
  for (const board of boards) {
    tools.add(`${board.toolchain}gcc`);
    tools.add(board.qemu[0]);
  }
  return [...tools];
}
