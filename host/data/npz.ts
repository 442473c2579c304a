/** .npz files: a zip archive of .npy files. What it unpacks is bounded before it is unpacked. */
import { unzipSync, zipSync, type UnzipFileInfo } from "fflate";
import { MoteError } from "../errors.js";
import { int8Npy, readNpy, type NumberArray } from "./npy.js";

/** DEFLATE cannot pack more tightly: a match of 258 bytes takes two bits. */
export const MAX_RATIO = 1032;
/** An entry of the archive's directory has at least so many. */
const ENTRY_BYTES = 46;
const STORED = 0;
const DEFLATED = 8;
const SUFFIX = ".npy";

export interface Npz {
  /** In the order of the archive. */
  readonly names: readonly string[];
  /** @throws MoteError FORMAT, UNSUPPORTED for elements that are no numbers */
  array(name: string): NumberArray;
}

/** @param file its name, for messages @throws MoteError FORMAT */
export function openNpz(bytes: Uint8Array, file: string): Npz {
  const names: string[] = [];
  let entries = 0;
  const visit = (take: (entry: UnzipFileInfo) => boolean): Record<string, Uint8Array> => {
    entries = 0;
    try {
      return unzipSync(bytes, {
        filter: (entry) => {
          if (++entries * ENTRY_BYTES > bytes.length) throw new Error("its directory is longer than the archive");
          return take(entry);
        },
      });
    } catch (error) {
      if (error instanceof MoteError) throw error;
      throw new MoteError("FORMAT", `${file}: broken zip archive: ${(error as Error).message}`, { cause: error });
    }
  };
  visit(({ name }) => {
    if (name.endsWith(SUFFIX)) names.push(name.slice(0, -SUFFIX.length));
    return false;
  });
  if (new Set(names).size !== names.length) throw new MoteError("FORMAT", `${file}: two arrays have one name`);
  if (names.length === 0) throw new MoteError("FORMAT", `${file}: a zip archive without arrays, expected .npy files`);
  return {
    names,
    array: (wanted) => {
      const what = `${file}: ${wanted}`;
      const found = visit(({ name, size, originalSize, compression }) => {
        if (name !== wanted + SUFFIX) return false;
        if (compression !== STORED && compression !== DEFLATED) {
          throw new MoteError(
            "UNSUPPORTED",
            `${what}: zip's method ${compression} is not read, expected stored or deflated`,
          );
        }
        const most = compression === STORED ? size : size * MAX_RATIO;
        if (size > bytes.length || originalSize > most) {
          throw new MoteError("FORMAT", `${what}: ${size} bytes of the archive cannot become ${originalSize}`);
        }
        return true;
      });
      return readNpy(found[wanted + SUFFIX], what);
    },
  };
}

/** The earliest that a zip archive can say, so that the same arrays are the same bytes on any day. */
const NO_TIME = new Date(1980, 0, 1);

/** @param arrays by name, row-major */
export function writeNpz(
  arrays: ReadonlyMap<string, { readonly shape: readonly number[]; readonly values: Int8Array }>,
): Uint8Array {
  const files = [...arrays].map(([name, { shape, values }]) => [name + SUFFIX, int8Npy(values, shape)] as const);
  return zipSync(Object.fromEntries(files), { mtime: NO_TIME });
}
