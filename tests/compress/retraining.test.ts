/** What becomes of a stage's trainer. */
import { afterEach, expect, test, vi } from "vitest";
import { retrain } from "../../host/compress/retraining.js";
import { MoteError } from "../../host/errors.js";
import { Trainer } from "../../host/train/trainer.js";
import { barSamples, smallNet, stageContext, startedNet } from "../train/support.js";

afterEach(() => vi.restoreAllMocks());

test("a state in the work folder that cannot be read ends the threads, too", async () => {
  const samples = barSamples(64, 1);
  const net = await startedNet(smallNet, samples);
  const close = vi.spyOn(Trainer.prototype, "close");
  const load = (): never => {
    throw new MoteError("FORMAT", "no state of a stage");
  };
  const context = { ...stageContext(samples), keeper: { load, save: () => {} } };
  const schedule = { epochs: 1, lr: 0.001, lrEnd: 0.001 };
  await expect(retrain(net, schedule, context, () => Promise.resolve())).rejects.toThrow("no state of a stage");
  expect(close).toHaveBeenCalledTimes(1);
});
