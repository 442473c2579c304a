/** How values are read, channel by channel. */
import { MoteError } from "../errors.js";
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
 * @returns undefined for bytes that are read as value / 255, the way of samples without a reading
 * @throws MoteError ARGUMENT for as many numbers as there are no channels
 */
export function channelReading(images: Values, reading: Reading, channels: number): ChannelReading | undefined {
  const isBytes = images instanceof Uint8Array;
  if (isBytes && isSilent(reading)) return undefined;
  const factor = reading.scale ?? (isBytes ? 1 / 255 : 1);
  const [mean, std] = [
    perChannel(reading.mean ?? [0], channels, "mean"),
    perChannel(reading.std ?? [1], channels, "std"),
  ];
  return { scale: std.map((divisor) => factor / divisor), offset: mean.map((value, c) => 0 - value / std[c]) };
}
