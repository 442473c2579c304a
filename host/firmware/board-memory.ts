/** The memories of the boards that the firmware is built for: firmware-examples/boards has their linker scripts. */

export interface BoardMemory {
  readonly name: string;
  readonly cpu: string;
  readonly ramBytes: number;
  readonly flashBytes: number;
  /** What the linker keeps of the SRAM for the stack. */
  readonly stackBytes: number;
}

export const BOARD_MEMORIES = {
  lm3s6965evb: {
    name: "lm3s6965evb",
    cpu: "Cortex-M3",
    ramBytes: 64 << 10,
    flashBytes: 256 << 10,
    stackBytes: 3072,
  },
  netduinoplus2: {
    name: "netduinoplus2",
    cpu: "Cortex-M4F",
    ramBytes: 128 << 10,
    flashBytes: 1 << 20,
    stackBytes: 3072,
  },
  microbit: {
    name: "microbit",
    cpu: "Cortex-M0",
    ramBytes: 16 << 10,
    flashBytes: 256 << 10,
    stackBytes: 1536,
  },
  riscv32: {
    name: "riscv32",
    cpu: "RV32IMAC",
    ramBytes: 400 << 10,
    flashBytes: 4 << 20,
    stackBytes: 4096,
  },
  xtensa: {
    name: "xtensa",
    cpu: "Xtensa lx106, no tail calls",
    ramBytes: 256 << 10,
    flashBytes: 4 << 20,
    stackBytes: 16_384,
  },
} as const satisfies Readonly<Record<string, BoardMemory>>;
