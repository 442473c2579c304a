/** What the room that looks at pictures asks its worker, and what that answers. */

export type Question =
  /** Opens a net: a file, or what the host may serve at an address. The one before is closed. */
  | { readonly kind: "open"; readonly source: File | string }
  | Scan
  /** The picture is the worker's from then on. @property times to run it at most, for the time that it takes; the answer is the same */
  | { readonly kind: "look"; readonly picture: ImageBitmap; readonly times: number };

/** Opens the net whose QR code is in the picture, which is the worker's from then on. */
export interface Scan {
  readonly kind: "scan";
  readonly picture: ImageBitmap;
  /** Of the net, if there is one. */
  readonly name: string;
  /** Whether there are more pictures to come of the same. */
  readonly isFilm: boolean;
}

export type Answer =
  | { readonly kind: "opened"; readonly net: Net }
  /** The host serves no such file. */
  | { readonly kind: "absent" }
  /** There is no code in the picture, or none that can be read. */
  | { readonly kind: "unread"; readonly name: string }
  | { readonly kind: "looked"; readonly sight: Sight }
  | { readonly kind: "failed"; readonly message: string };

/** What is shown of a net. */
export interface Net {
  readonly name: string;
  readonly fileBytes: number;
  readonly memoryBytes: number;
  readonly shape: readonly [channels: number, height: number, width: number];
  readonly classes: number;
  /** Whether its classes have names. */
  readonly isNamed: boolean;
}

/** What a net makes of a picture. */
export interface Sight {
  /** The most probable classes, the first the most. */
  readonly best: readonly { readonly name: string; readonly share: number }[];
  /** Milliseconds from pixels to classes, of the net alone: a run each. */
  readonly runs: readonly number[];
  /** What the net was given. */
  readonly given: ImageData;
  /** Why it may be wrong. */
  readonly doubts: readonly string[];
}
