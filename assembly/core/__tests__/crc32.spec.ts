import { CRC_INITIAL, updateCrc } from "../crc32";

describe("crc32", () => {
  it("gives the check value of CRC-32/ISO-HDLC", () => {
    let text = String.UTF8.encode("123456789");
    expect(~updateCrc(CRC_INITIAL, changetype<usize>(text), 9)).toBe(0xcbf43926);
  });

  it("is the same in pieces", () => {
    let text = String.UTF8.encode("123456789");
    let state = updateCrc(CRC_INITIAL, changetype<usize>(text), 0);
    state = updateCrc(state, changetype<usize>(text), 5);
    expect(~updateCrc(state, changetype<usize>(text) + 5, 4)).toBe(0xcbf43926);
  });
});
