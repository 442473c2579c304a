/** Room that layers need while they run, the same for all: its size is noted as they are read, its place is behind all that is kept. */
import { take } from "./memory";

let most: u32 = 0;
export let room: usize = 0;

export function beginRoom(): void {
  most = 0;
}

/** Notes that a layer needs so many bytes. */
export function noteRoom(bytes: u32): void {
  most = max(most, bytes);
}

export function placeRoom(): void {
  room = take(most);
}
