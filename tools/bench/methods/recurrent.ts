/**
 * Recurrent nets over the rows of digits, pruned and retrained as by Han et al. 2015: an LSTM of ours beside the same net with all its weights, and
 * TensorFlow Lite Micro's, whose classes are read from all steps at once, from the folder that MOTE_ZOO names.
 */
import { atMost, rounded, type BenchOptions, type Figure } from "../figure.js";
import { fileInZoo } from "../zoo-nets.js";
import { LSTM_FILE, wholeLstm, type WholeLstm } from "../zoo-lstm.js";
import { methodRecipe, runMethod, shareLeft, type MethodFamily, type RecipeResult } from "./family.js";

/** Points of the test error that pruning may cost. */
const MOST_LOST = 1;

export const recurrentMethods: MethodFamily = {
  name: "recurrent",
  measure: async (options) => [...(await ourLstm(options)), ...(await zooLstm(options))],
};

async function ourLstm(options: BenchOptions): Promise<Figure[]> {
  const dense = await runMethod("lstm-dense", methodRecipe("lstm-dense"), options);
  const pruned = await runMethod("lstm", methodRecipe("lstm"), options);
  const name = "LSTM of 64 units over MNIST's rows";
  const limit = rounded(dense.testError + MOST_LOST, 4);
  return [
    { id: "methods.lstm.dense.error", name: `${name}, all weights: test error`, value: dense.testError, unit: "%" },
    { id: "methods.lstm.dense.bytes", name: `${name}, all weights: bytes`, value: dense.bytes, unit: "B" },
    atMost("methods.lstm.pruned.error", `${name}, ${shareLeft(pruned)}: test error`, pruned.testError, "%", limit),
    { id: "methods.lstm.pruned.bytes", name: `${name}, ${shareLeft(pruned)}: bytes`, value: pruned.bytes, unit: "B" },
  ];
}

/** @returns none without the net */
export async function zooLstm(options: BenchOptions): Promise<Figure[]> {
  const path = fileInZoo(LSTM_FILE);
  if (path === undefined) {
    options.note(`no figures of ${LSTM_FILE}, since MOTE_ZOO names no folder with it`);
    return [];
  }
  const pruned = await runMethod("mnist-lstm", { ...methodRecipe("mnist-lstm"), net: path }, options);
  return zooLstmFigures(pruned, await wholeLstm(path));
}

/** @param whole the same net made int8 as it is */
export function zooLstmFigures(
  pruned: Pick<RecipeResult, "nonZeros" | "weights" | "testError" | "bytes">,
  { fileBytes, container, errors, realErrors, count }: WholeLstm,
): Figure[] {
  const name = `${LSTM_FILE}, ${shareLeft(pruned)}`;
  const [int8, real] = [errors, realErrors].map((wrong) => rounded((100 * wrong) / count, 4));
  return [
    {
      ...atMost("methods.mnist-lstm.error", `${name}: test error`, pruned.testError, "%", rounded(int8 + MOST_LOST, 4)),
      beside: { "all as int8": int8, "all as real numbers": real },
    },
    {
      id: "methods.mnist-lstm.bytes",
      name: `${name}: bytes`,
      value: pruned.bytes,
      unit: "B",
      beside: { "all as int8": container.length, "the file": fileBytes },
    },
  ];
}
