/** How values are read, channel by channel. */
import { MoteError } from "../errors.js";
import type { Preprocessing } from "../model/model.js";
import type { Reading, Values } from "./data-set.js";
import type { ChannelReading } from "./samples.js";

/** One for all channels or one for each becomes one for each. @param name of the setting @throws MoteError ARGUMENT */
export function perChannel(values: readonly number[], channels: number, name: string): readonly number[] {
  if (values.length !== 1 && values.length !== channels) {
    const expected = channels === 1 ? "one" : `one, or one for each of ${channels} channels`;
    throw new MoteError("ARGUMENT", `${name}: expected ${expected}, got ${values.length}`);
  }
  return Array.from({ length: channels }, (_, channel) => values[values.length === 1 ? 0 : channel]);
}

/** Whether nothing is said of scale, mean and std. */
export const isSilent = ({ scale, mean, std }: Reading): boolean =>
  scale === undefined && mean === undefined && std === undefined;

/**
 * @param usual how the net's bytes are read where the reading says nothing
 * @returns undefined for bytes that are read as value / 255, the way of samples without a reading
 * @throws MoteError ARGUMENT for as many numbers as there are no channels
 */
export function channelReading(
  images: Values,
  given: Reading,
  channels: number,
  usual: Partial<Preprocessing> = {},
): ChannelReading | undefined {
  const isBytes = images instanceof Uint8Array;
  const isAsUsual = isBytes && isSilent(given) && usual.mean !== undefined && usual.std !== undefined;
  const reading = isAsUsual ? { scale: 1, mean: usual.mean, std: usual.std } : given;
  const factor = reading.scale ?? (isBytes ? 1 / 255 : 1);
  const [mean, std] = [
    perChannel(reading.mean ?? [0], channels, "mean"),
    perChannel(reading.std ?? [1], channels, "std"),
  ];
  const found = { scale: std.map((divisor) => factor / divisor), offset: mean.map((value, c) => 0 - value / std[c]) };
  const isBytesBy255 = isBytes && found.scale.every((one) => one === 1 / 255) && found.offset.every((one) => one === 0);
  return isBytesBy255 ? undefined : found;
}
