/** Writes bit fields into bytes as a section of SPEC.md has them: least significant bit first, bytes filled from below. */
export class BitWriter {
  #bytes: Uint8Array;
  #length = 0;
  #pending = 0;
  #pendingBits = 0;

  /** @param capacity bytes to begin with; the buffer doubles when it is full */
  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(Math.max(8, capacity));
  }

  /** Bits written so far. */
  get bitLength(): number {
    return this.#length * 8 + this.#pendingBits;
  }

  /**
   * @param value only its low `bits` bits are taken, so that a negative number is written in two's complement
   * @param bits 0 .. 32
   */
  write(value: number, bits: number): void {
    if (bits > 16) {
      this.write(value & 0xffff, 16);
      this.write(value >>> 16, bits - 16);
      return;
    }
    // At most 7 + 16 bits are pending here, which an int32 holds.
    this.#pending |= (value & ((1 << bits) - 1)) << this.#pendingBits;
    this.#pendingBits += bits;
    if (this.#length + 2 > this.#bytes.length) this.#grow();
    while (this.#pendingBits >= 8) {
      this.#bytes[this.#length++] = this.#pending;
      this.#pending >>>= 8;
      this.#pendingBits -= 8;
    }
  }

  /**
   * Writes a code for each value.
   * @param codes, bits of a value at the index value + 128; 0 .. 16 bits
   */
  writeCodes(values: Int8Array, codes: Uint16Array, bits: Uint8Array): void {
    let bytes = this.#bytes;
    let length = this.#length;
    let pending = this.#pending;
    let pendingBits = this.#pendingBits;
    for (let i = 0; i < values.length; i++) {
      const at = values[i] + 128;
      pending |= codes[at] << pendingBits;
      pendingBits += bits[at];
      if (length + 2 > bytes.length) {
        this.#grow();
        bytes = this.#bytes;
      }
      for (; pendingBits >= 8; pendingBits -= 8) {
        bytes[length++] = pending;
        pending >>>= 8;
      }
    }
    this.#length = length;
    this.#pending = pending;
    this.#pendingBits = pendingBits;
  }

  /** Fills the last byte with zero bits. @returns the bytes written, as a view that the next `write` may overwrite */
  finish(): Uint8Array {
    if (this.#pendingBits > 0) this.write(0, 8 - this.#pendingBits);
    return this.#bytes.subarray(0, this.#length);
  }

  #grow(): void {
    const larger = new Uint8Array(this.#bytes.length * 2);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}
