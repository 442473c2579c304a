/** What a weighted layer has in front of its codec's part: the fields of its weights, then in the section scales and biases. */
import { STATUS_STREAM, STATUS_TRUNCATED } from "../abi";
import {
  FORM_CLAMP,
  FORM_CODEC_MASK,
  FORM_PER_CHANNEL,
  FORM_RELU,
  MAX_LAYER_WEIGHTS,
  MAX_SMALL_WEIGHTS,
} from "../format";
import { bits, fileBytes, limitReads, position } from "./bit-reader";
import { firstCodec, needsCodec, scratchPtr } from "./container";
import { isStated, varint, varintIn } from "./fields";
import { readForm, readScale, rows } from "./layer";
import { isSmall } from "./range-decoder";
import { setScale } from "./requantize";
import { beginScratch } from "./scratch";
import { expect, expectRange } from "./status";

/** Scales and biases of one piece of work; of a small container half as many. */
const CHANNELS: u32 = 10;

/** Weights of a row, zeros included. */
export let columns: u32 = 0;

let form: u32 = 0;
/** Weights of a small container's layers up to the one at hand. */
let smallWeights: u32 = 0;
let biasBits: u32 = 0;
let biasShift: u32 = 0;
/** Of the multipliers of a small container: so many bits behind the first. */
let multiplierBits: u32 = 0;
/** How many scales and biases have been read. */
let done: u32 = 0;

export function codec(): u32 {
  return form & FORM_CODEC_MASK;
}

/** The bits of a form that there are. A core made for a model without scales of rows knows none of them. */
function knownForm(): u32 {
  return FORM_CODEC_MASK | FORM_PER_CHANNEL | FORM_RELU | FORM_CLAMP;
}

/** Whether each row has its own multiplier and shift. */
export function hasRowScales(): bool {
  return (form & FORM_PER_CHANNEL) != 0;
}

/** Before the first layer. */
export function beginSections(): void {
  if (isSmall()) smallWeights = 0;
}

/** Reads the fields of the layer's weights, `count` a row, up to its scales. From there on its section limits the reader, if it has one. */
export function readWeights(count: u32): void {
  columns = count;
  form = readForm() ^ (isSmall() ? firstCodec() : 0);
  expectRange(!(form & ~knownForm()) & needsCodec(codec()));
  expectRange(count <= <u32>MAX_LAYER_WEIGHTS / rows);
  if (isSmall()) {
    // Whichever is more has failed before the sum could wrap.
    smallWeights += rows * count;
    expectRange(smallWeights <= <u32>MAX_SMALL_WEIGHTS);
    multiplierBits = varintIn(0, 30);
  } else {
    let bytes = varint();
    expect(bytes <= fileBytes - position, STATUS_TRUNCATED);
    limitReads(position + bytes, STATUS_STREAM);
  }
  let hasBiases = isStated();
  biasBits = bits(hasBiases ? 6 : 0);
  biasShift = bits(hasBiases ? 5 : 0);
  expectRange(biasBits <= 32);
  beginScratch(rows * channelBytes());
  done = 0;
}

/** Bytes of a row's entry among the channels, with which the scratch region begins: its bias, and its multiplier and shift if it has its own. */
function channelBytes(): u32 {
  return hasRowScales() ? 12 : 4;
}

/** Reads up to CHANNELS multipliers with their shifts, and biases. @returns whether those were the last */

@inline
export function readChannels(): bool {
  let scales: u32 = hasRowScales() ? rows : 1;
  let end = min(done + (CHANNELS >> u32(isSmall())), scales + rows);
  do {
    if (done < scales) {
      let multiplier = isSmall() ? (1 << 30) | (bits(multiplierBits) << (30 - multiplierBits)) : bits(31);
      let shift = bits(6);
      readScale(multiplier, shift);
      if (hasRowScales()) {
        let entry = scratchPtr + done * 12;
        store<u32>(entry, multiplier, 4);
        store<u32>(entry, shift, 8);
      }
    } else {
      // biasBits up to 32 and biasShift up to 31 make 63 bits at most. No bits: a 0, shifted by 64, which is by nothing.
      let unused = 64 - <i64>biasBits;
      let value = (((<i64>bits(biasBits)) << unused) >> unused) << biasShift;
      expectRange(value == <i64>(<i32>value));
      store<i32>(scratchPtr + (done - scales) * channelBytes(), <i32>value);
    }
  } while (++done < end);
  return done == scales + rows;
}

/** Makes the scale of a row the one at hand. @returns its bias */
export function loadChannel(row: u32): i32 {
  let entry = scratchPtr + row * channelBytes();
  if (hasRowScales()) setScale(load<u32>(entry, 4), load<u32>(entry, 8));
  return load<i32>(entry);
}
