/** Words of an entry in the layer table, by their offset (assembly/fast/layout.ts). */
export type Entry = ReadonlyMap<number, number>;
