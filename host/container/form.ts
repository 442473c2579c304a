/** A layer's form: SPEC's byte for how weights are coded and how far the output goes, and the bytes that may follow it. */
import { FORM_CLAMP, FORM_CODEC_MASK, FORM_PER_CHANNEL, FORM_RELU } from "../../assembly/format.js";
import { elementRange } from "../model/elements.js";
import type { Axes, QTensor } from "../model/model.js";
import type { FieldReader } from "./field-reader.js";
import type { FieldWriter } from "./field-writer.js";

/** What a form says of weights; of a layer without any it is 0 and false. */
export interface WeightForm {
  readonly codec: number;
  /** Whether each row has a multiplier and shift of its own. */
  readonly perChannel: boolean;
}

export const NO_WEIGHT_FORM: WeightForm = { codec: 0, perChannel: false };

/** In the fewest bytes. */
export function writeForm(
  fields: FieldWriter,
  hasWeights: boolean,
  { codec, perChannel }: WeightForm,
  [low, high]: Axes,
  output: QTensor,
): void {
  const { zeroPoint } = output;
  const [least, most] = elementRange(output);
  const isFull = low === least && high === most;
  const isRelu = !isFull && low === zeroPoint;
  const hasClamp = !isFull && !(isRelu && high === most);
  const bits = codec | (perChannel ? FORM_PER_CHANNEL : 0) | (isRelu ? FORM_RELU : 0) | (hasClamp ? FORM_CLAMP : 0);
  fields.form(bits, hasWeights);
  if (!hasClamp) return;
  if (!isRelu) fields.element(low);
  fields.element(high);
}

/** @param where before names in errors: "layer 2" @param hasWeights whether the layer may have a codec and scales for each row */
export function readForm(
  fields: FieldReader,
  where: string,
  hasWeights: boolean,
  output: QTensor,
): { readonly form: WeightForm; readonly clamp: readonly [number, number] } {
  const { zeroPoint } = output;
  const bits = fields.form(`${where} form`, hasWeights);
  const known = FORM_RELU | FORM_CLAMP | (hasWeights ? FORM_CODEC_MASK | FORM_PER_CHANNEL : 0);
  if ((bits & ~known) !== 0) {
    fields.fail(`${where} form`, `0x${bits.toString(16)}, expected no other bits than 0x${known.toString(16)}`);
  }
  const isRelu = (bits & FORM_RELU) !== 0;
  const hasClamp = (bits & FORM_CLAMP) !== 0;
  const [least, most] = elementRange(output);
  const low = isRelu ? zeroPoint : hasClamp ? fields.element(`${where} clampMin`) : least;
  const high = hasClamp ? fields.element(`${where} clampMax`) : most;
  if (low > high) fields.fail(`${where} clampMax`, `${high}, expected ${low} … ${most}`);
  return { form: { codec: bits & FORM_CODEC_MASK, perChannel: (bits & FORM_PER_CHANNEL) !== 0 }, clamp: [low, high] };
}
