/** What a file is by its first bytes, so that a message about the wrong file can say what it is instead. */
import type { ElementBits } from "../model/elements.js";

type Test = (file: Uint8Array) => boolean;

/** Any of `magics`, one character a byte, stands at `offset`. */
function at(offset: number, ...magics: string[]): Test {
  return (file) => magics.some((magic) => [...magic].every((byte, i) => file[offset + i] === byte.charCodeAt(0)));
}

/** A container of any version, plain or small. */
export const isMote: Test = at(0, "MOT", "\xB3", "\xB5");

/** One of them of 16-bit activations, by versions 4 and 5. */
const isWideMote: Test = at(0, "MOT\x04", "\xB5");

/** Of an element of a container's model. */
export const containerBits = (container: Uint8Array): ElementBits => (isWideMote(container) ? 16 : 8);

/** A small one, by versions 3 and 5. */
export const isSmallMote: Test = at(0, "\xB3", "\xB5");

/** ModelProto: ir_version, then producer's name and version, domain, version, text, graph or opset. */
export const isOnnx: Test = (file) =>
  file[0] === 8 && file[1] < 32 && [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42].includes(file[2]);

/** The identifier of its schema. */
export const isTflite: Test = at(4, "TFL3");

/** A header length below 2^24, and the JSON that is that long. */
export const isSafetensors: Test = at(3, "\0\0\0\0\0{");

export const isPng: Test = at(0, "\x89PNG");
export const isJpeg: Test = at(0, "\xff\xd8\xff");
export const isZip: Test = at(0, "PK\x03\x04");
export const isNpy: Test = at(0, "\x93NUMPY");
export const isGzip: Test = at(0, "\x1f\x8b");

const KINDS: readonly (readonly [words: string, test: Test])[] = [
  ["a PNG picture", isPng],
  ["a JPEG picture", isJpeg],
  ["a GIF picture", at(0, "GIF8")],
  ["a TIFF picture", at(0, "II*\0", "MM\0*")],
  ["a WebP picture", at(8, "WEBP")],
  ["a BMP picture", at(0, "BM")],
  ["a PNM picture", at(0, "P2", "P3", "P5", "P6")],
  ["an idx file of images", at(0, "\0\0\x08\x03")],
  ["an idx file of labels", at(0, "\0\0\x08\x01")],
  ["a Mote container", isMote],
  ["a WebAssembly module", at(0, "\0asm")],
  ["a safetensors file", isSafetensors],
  ["a TFLite model", isTflite],
  ["an ONNX model", isOnnx],
  ["an HDF5 file, such as Keras writes", at(0, "\x89HDF")],
  ["a zip archive, such as PyTorch and Keras write", isZip],
  ["a NumPy array", isNpy],
  ["a Python pickle", at(0, "\x80\x02", "\x80\x03", "\x80\x04", "\x80\x05")],
  ["a GGUF model", at(0, "GGUF")],
  ["gzip-compressed", isGzip],
  ["a program", at(0, "\x7fELF")],
];

/** "a PNG picture", "an empty file"; where nothing is known of them, the first bytes. */
export function describeFile(file: Uint8Array): string {
  if (file.length === 0) return "an empty file";
  const kind = KINDS.find(([, test]) => test(file));
  if (kind !== undefined) return kind[0];
  const start = file.subarray(0, 64);
  if (start.every((byte) => byte >= 0x20 || (byte >= 9 && byte <= 13))) {
    return /^\s*[{[]/.test(String.fromCharCode(...start)) ? "JSON" : "text";
  }
  const first = [...file.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0").toUpperCase());
  return `a file that begins with ${first.join(" ")}`;
}
