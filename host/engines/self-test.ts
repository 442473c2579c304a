/** The self-test of a certificate on an engine: SPEC.md, "Certificate". */
import { fillSelfTest } from "../container/certificate.js";
import { concatBytes } from "../bytes.js";
import { crc32 } from "../container/crc32.js";
import { nextTurn } from "../turn.js";
import { inputElements, type Engine } from "./engine.js";

/**
 * Runs a model from its states' start on, and leaves it there.
 * @param vectors how many runs
 * @param onRun called after each
 * @returns CRC-32 of the outputs of all runs
 */
export async function selfTest(engine: Engine, vectors: number, onRun?: (done: number) => void): Promise<number> {
  const inputs = inputElements(engine);
  const results: Uint8Array[] = [];
  engine.reset();
  for (let run = 0; run < vectors; run++) {
    fillSelfTest(run, inputs);
    engine.run(inputs);
    for (let index = 0; index < engine.outputs.length; index++) {
      results.push(new Uint8Array(engine.result(index).buffer));
    }
    onRun?.(run + 1);
    if (run % 16 === 0) await nextTurn();
  }
  engine.reset();
  return crc32(concatBytes(results));
}
