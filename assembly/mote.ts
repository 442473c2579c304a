/** What the host provides: import `mote.read`. (asc names an import's module after the file that declares it.) */

/** Copies `length` bytes of the model file from `offset` to address `target`. @returns 0, or anything else for failure */
export declare function read(offset: u32, target: usize, length: u32): i32;
