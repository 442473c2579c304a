/** The bytes of a QR code in a picture: a photo, a screen, a scan. */
import { decodeQR } from "qr/decode.js";
import { describeFile, isMote } from "../data/file-kind.js";
import { enlarge, greyOf, shrink, smooth, type Picture, type Plane } from "../data/plane.js";
import { MoteError } from "../errors.js";
import { isCrowded, type Bitmap } from "./crowd.js";
import { warp } from "./warp.js";

/** Larger pictures are averaged down: the largest code has 177 modules a side. */
const MAX_SIDE = 2048;
/** A module of the smallest code is a pixel at least. */
const MIN_SIDE = 21;
/** Arrangements of three corners that are tried. Time is no limit: the same picture gives the same on any machine. */
const EFFORT = 8;
/** What is seen from elsewhere is enough by so many pixels a side: there are many views. */
const MAX_WARPED_SIDE = 1400;
/**
 * In this order: as it is; smoothed, against noise; turned, since corners are found by rows and columns; tilted each way, since corners give the
 * fourth only where it is nearly a parallelogram's; enlarged, for modules of two pixels.
 */
const WAYS: readonly ((plane: Plane) => Plane)[] = [
  (plane) => plane,
  smooth,
  ...[0.2, 0.6, 0.4].map((turn) => seen(turn, [0, 0])),
  ...([0.25, -0.25] as const).flatMap((tilt) => [seen(0.6, [0, tilt]), seen(0.6, [tilt, 0])]),
  (plane) => enlarge(shrink(plane, MAX_SIDE / 2)),
];
/** Of a text in a message. */
const SHOWN_CHARACTERS = 60;

/**
 * The picture is looked through in all ways, one after another, until there is a code.
 * @param way one of them alone, for a film, whose next picture is another chance: any whole number
 * @returns what is in the first code that is found, a character of text as a byte; undefined where there is none
 */
export function decodeQr(picture: Picture, way?: number): Uint8Array | undefined {
  const { width, height } = picture;
  if (Math.min(width, height) < MIN_SIDE) return undefined;
  const plane = shrink(greyOf(picture), MAX_SIDE);
  for (const seenAs of way === undefined ? WAYS : [WAYS[way % WAYS.length]]) {
    const bytes = findCode(seenAs(plane));
    if (bytes !== undefined) return bytes;
  }
  return undefined;
}

function seen(turn: number, tilt: readonly [right: number, down: number]): (plane: Plane) => Plane {
  return (plane) => warp(shrink(plane, MAX_WARPED_SIDE), { turn, tilt });
}

/**
 * The model in a picture of its code.
 * @param name of the picture, for messages
 * @throws MoteError FORMAT where there is no code, or something else in it; that the model is whole, the opening of it finds out
 */
export function modelInPicture(picture: Picture, name: string): Uint8Array {
  const bytes = decodeQr(picture);
  if (bytes !== undefined) return expectModel(bytes, name);
  throw new MoteError(
    "FORMAT",
    `${name}: no QR code found in its ${picture.width} × ${picture.height} pixels; expected a sharp picture that a code of mote qr fills for the most part`,
  );
}

/** @returns what was in a code @throws MoteError FORMAT that says what it is in place of a model */
export function expectModel(bytes: Uint8Array, name: string): Uint8Array {
  if (isMote(bytes)) return bytes;
  const kind = describeFile(bytes);
  const text = kind === "text" ? `, "${String.fromCharCode(...bytes.subarray(0, SHOWN_CHARACTERS))}"` : "";
  throw new MoteError("FORMAT", `${name}: its QR code holds ${kind}${text}; expected a model`);
}

function findCode({ width, height, values }: Plane): Uint8Array | undefined {
  if (Math.min(width, height) < MIN_SIDE) return undefined;
  let text: string;
  try {
    text = decodeQR(
      // What the library calls planar begins with a plane of brightness, and it reads no other.
      { width, height, data: Uint8ClampedArray.from(values) },
      { format: "I420", effort: EFFORT, timeLimit: Infinity, textDecoder: latin1, imageOnBitmap: refuseCrowd },
    );
  } catch {
    return undefined; // It throws where it finds none.
  }
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Leaves the search before it begins with this bitmap, as where it finds no code. */
function refuseCrowd(bitmap: Bitmap): void {
  if (isCrowded(bitmap)) throw new Error("crowded");
}

/** A character a byte, whatever encoding the code names. TextDecoder's latin1 is another. */
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
