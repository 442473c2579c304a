/** Whether samples suit a planned net and what it is to learn of them. */
import { checkLabels, requireLabels, type Samples } from "../data/samples.js";
import type { Distillation } from "./execute.js";
import { checkTask, lossValues, requireTargets, type Task } from "./losses.js";
import type { Plan } from "./plan.js";

/** Of a tensor by its name, in the last step. @throws RangeError for none */
export function tensorIndex({ tensors }: Plan, name: string): number {
  const index = tensors.findLastIndex((tensor) => tensor.name === name);
  if (index < 0) throw new RangeError(`the net has no tensor named ${name}`);
  return index;
}

/** @throws RangeError for another number of values, or of channels that are read */
export function checkSamples(
  { sample: shape, tensors: [{ values }] }: Plan,
  { images, reading, count }: Samples,
): void {
  if (images.length !== count * values) {
    throw new RangeError(`samples: expected ${count} images of [${shape}], got ${images.length} values`);
  }
  const wrong = [reading?.scale, reading?.offset].find((each) => each !== undefined && each.length !== shape[0]);
  if (wrong === undefined) return;
  const expected = `one for each of ${shape[0]} channels`;
  throw new RangeError(`samples: read with ${wrong.length} scales or offsets, expected ${expected}`);
}

/** @throws MoteError MISMATCH for labels or targets that do not suit the task or the net, ARGUMENT for a task that makes no sense; RangeError as checkSamples */
export function checkTaught(plan: Plan, data: Samples, task: Task): void {
  checkSamples(plan, data);
  checkTask(task, lossValues(task, plan.classes, plan.outputValues));
  if (task.loss === "softmax") checkLabels(requireLabels(data, "samples"), plan.classes, "samples");
  else requireTargets(task, data, plan.outputValues, "samples");
}

/** @throws RangeError for a teacher's opinions that are not there, or of another tensor */
export function checkDistillation(plan: Plan, { count, logits, features }: Samples, distill: Distillation): void {
  if (distill.alpha > 0 && logits?.length !== count * plan.classes) {
    throw new RangeError(`distillation: expected ${plan.classes} teacher logits for each sample`);
  }
  if (distill.features === undefined) return;
  const { values, name, gradient } = plan.tensors[tensorIndex(plan, distill.features.tensor)];
  if (gradient < 0) throw new RangeError(`distillation: no layer before ${name} is trained`);
  if (features?.length !== count * values) {
    throw new RangeError(`distillation: expected ${values} teacher features of ${name} for each sample`);
  }
}
