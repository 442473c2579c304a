/** Room that layers need while they run, the same for all: its size is noted as they are read, its place is behind all that is kept. */
import { take } from "./memory";

let most: u64 = 0;
export let room: usize = 0;

export function beginRoom(): void {
  most = 0;
}

/** Notes that a layer needs so many bytes. */
export function noteRoom(bytes: u64): void {
  most = max(most, bytes);
}

export function placeRoom(): void {
  room = take(most);
}
