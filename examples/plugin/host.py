"""A host of Mote's modules in Python, by wasmtime (PyPI): docs/plugin.md, step by step.

Example: python3 examples/plugin/host.py model.wasm inputs.bin outputs.bin 1
"""

import struct
import sys

from wasmtime import Func, FuncType, Instance, Module, Store, ValType

DONE, BUSY = 0, 1
IS_END = 0x200
BUDGET = 1 << 16


def custom_section(wasm: bytes, wanted: bytes) -> bytes:
    """What stands in a custom section; nothing where there is none."""

    def leb128(at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            byte = wasm[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value, at

    at = 8
    while at < len(wasm):
        kind = wasm[at]
        length, at = leb128(at + 1)
        if kind == 0:
            name_length, name_at = leb128(at)
            if wasm[name_at : name_at + name_length] == wanted:
                return wasm[name_at + name_length : at + length]
        at += length
    return b""


def main(path: str, input_path: str, output_path: str, of_stream: str = "1") -> None:
    with open(path, "rb") as file:
        wasm = file.read()
    store = Store()
    module = Module(store.engine, wasm)

    # 1. Instantiate: the import reads the stream, which a packed module does not have.
    stream = custom_section(wasm, b"mote.stream")

    def read(offset: int, target: int, length: int) -> int:
        offset, target, length = (value & 0xFFFFFFFF for value in (offset, target, length))
        if offset + length > len(stream) or target + length > memory.data_len(store):
            return 1
        memory.write(store, stream[offset : offset + length], target)
        return 0

    i32 = ValType.i32()
    imports = [Func(store, FuncType([i32, i32, i32], [i32]), read) for _ in module.imports]
    exports = Instance(store, module, imports).exports(store)
    memory, step = exports["memory"], exports["step"]

    def word(address: int) -> int:
        return struct.unpack("<I", memory.read(store, address, address + 4))[0]

    def finish(what: str, status: int) -> None:
        while status == BUSY:
            status = step(store, BUDGET)
        if status != DONE:
            sys.exit(f"host.py: {what}: status {status}")

    # 2. Open, and step until done.
    finish("open", exports["open"](store, memory.data_len(store)))
    if word(52) != 2:
        sys.exit(f"host.py: interface version {word(52)}, expected 2")

    # 3. Find inputs and outputs: of each the places of its rows.
    table, count, layers, bias = word(8), word(12), word(16), word(36)

    def ends(indices: range) -> list[list[tuple[int, int]]]:
        found = []
        for index in indices:
            data, channels, height, width, pitch, plane, _zero_point, state = (
                word(table + 32 * index + offset) for offset in range(0, 32, 4)
            )
            if state & IS_END:
                found.append([(data + c * plane + y * pitch, width) for c in range(channels) for y in range(height)])
        return found

    inputs, outputs = ends(range(count - layers)), ends(range(count - layers, count))

    # 4. Run after run: reset where a stream begins, write the inputs, start and step, read the outputs.
    with open(input_path, "rb") as file:
        given = file.read()
    input_bytes = sum(width for rows in inputs for _, width in rows)
    if len(given) % input_bytes:
        sys.exit(f"host.py: {len(given)} bytes of inputs, expected a multiple of {input_bytes}")
    results = bytearray()
    at = 0
    while at < len(given):
        if at // input_bytes % int(of_stream) == 0:
            finish("reset", exports["reset"](store))
        for rows in inputs:
            for address, width in rows:
                memory.write(store, bytes((q + bias) & 255 for q in given[at : at + width]), address)
                at += width
        finish("run", exports["start"](store))
        for rows in outputs:
            for address, width in rows:
                results += bytes((q - bias) & 255 for q in memory.read(store, address, address + width))
    with open(output_path, "wb") as file:
        file.write(results)


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit("usage: host.py MODULE INPUTS OUTPUTS [RUNS OF A STREAM]")
    main(*sys.argv[1:])
