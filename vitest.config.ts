import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    // Of a machine that does other things too.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    pool: "forks",
    // Two on two cores, too: many tests wait for compilers, emulators and browsers.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // The command as it was built, which tests call in their process.
    server: { deps: { external: [/\/dist\//] } },
  },
});
