#!/usr/bin/env python3
"""An independent decoder and runner of .mote files, written from SPEC.md alone, slow and short.

Makes the expected outputs of the golden containers: for each NAME.mote beside this script it runs three inputs and writes
every layer's output into NAME.json.

Run: python3 tests/golden/decode.py
"""
import json
import pathlib
import struct
import zlib


class Bytes:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def take(self, count):
        assert self.at + count <= len(self.data), "truncated"
        self.at += count
        return self.data[self.at - count : self.at]

    def u8(self):
        return self.take(1)[0]

    def i8(self):
        return struct.unpack("<b", self.take(1))[0]

    def u32(self):
        return struct.unpack("<I", self.take(4))[0]

    def f32(self):
        return struct.unpack("<f", self.take(4))[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value


class Bits:
    def __init__(self, data):
        self.bits = [(byte >> i) & 1 for byte in data for i in range(8)]
        self.at = 0

    def bit(self):
        self.at += 1
        return self.bits[self.at - 1]

    def unsigned(self, count):
        return sum(self.bit() << i for i in range(count))

    def signed(self, count):
        value = self.unsigned(count)
        return value - (1 << count) if count and value >> (count - 1) else value


class Code:
    def __init__(self, lengths):
        used = [s for s, n in enumerate(lengths) if n]
        assert used, "no used symbol"
        self.only = used[0] if len(used) == 1 else None
        self.symbols = {}
        code = previous = 0
        for length, symbol in sorted((lengths[s], s) for s in used):
            code <<= length - previous
            previous = length
            self.symbols[length, code] = symbol
            code += 1
        assert self.only is not None or code == 1 << previous, "incomplete or over-subscribed"

    def next(self, bits):
        if self.only is not None:
            return self.only
        length = code = 0
        while (length, code) not in self.symbols:
            code = code << 1 | bits.bit()
            length += 1
        return self.symbols[length, code]


def read_weights(bits, rows, columns, codec):
    weights = [[0] * columns for _ in range(rows)]
    if codec == 0:
        return [[bits.signed(8) for _ in range(columns)] for _ in range(rows)]
    live = list(range(columns))
    if bits.unsigned(1):
        column_map = [bits.unsigned(1) for _ in range(columns)]
        live = [c for c in range(columns) if column_map[c]]
    if bits.unsigned(1):
        alphabet = [None] * (bits.unsigned(8) + 1)
        alphabet = [bits.signed(8) for _ in alphabet]
    else:
        first = bits.signed(8)
        alphabet = [first + i for i in range(bits.unsigned(8) + 1)]
    weight_code = Code([bits.unsigned(4) for _ in alphabet])
    gap_symbols = bits.unsigned(10) + 2
    gap_code = Code([bits.unsigned(4) for _ in range(gap_symbols)])
    position = 0
    while position < rows * len(live):
        gap = gap_code.next(bits)
        position += gap
        if gap == gap_symbols - 1 or position >= rows * len(live):
            continue
        weights[position // len(live)][live[position % len(live)]] = alphabet[weight_code.next(bits)]
        position += 1
    return weights


def read_container(data):
    f = Bytes(data)
    assert f.take(4) == b"MOTE" and f.u8() == 1
    assert f.u32() == zlib.crc32(data[9:])
    assert f.varint() == len(data)
    tensor_count, layer_count = f.varint(), f.varint()
    for _ in range(6):
        f.varint()
    tensors = []
    for _ in range(tensor_count):
        shape = [f.varint() for _ in range(3)]
        f.varint()
        f.u8()
        f.f32()
        tensors.append({"shape": shape, "zero": f.i8()})
        f.varint()
    layers = []
    for _ in range(layer_count):
        layer = {"op": f.u8(), "input": f.varint(), "output": f.varint()}
        c, h, w = tensors[layer["input"]]["shape"]
        columns = c * h * w
        if layer["op"] == 0:
            names = "kernel_height kernel_width stride pad groups pool_size pool_stride".split()
            layer.update((name, f.varint()) for name in names)
            columns = c // layer["groups"] * layer["kernel_height"] * layer["kernel_width"]
        elif layer["op"] > 1:
            layer.update(kernel=f.varint(), stride=f.varint())
        layer["clamp"] = f.i8(), f.i8()
        if layer["op"] == 3:
            layer["scale"] = f.u32(), f.u8()
        if layer["op"] < 2:
            rows = tensors[layer["output"]]["shape"][0]
            form, bias_bits, bias_shift = f.u8(), f.u8(), f.u8()
            bits = Bits(f.take(f.varint()))
            scales = [(bits.unsigned(31), bits.unsigned(6)) for _ in range(rows if form & 16 else 1)]
            layer["scales"] = scales if form & 16 else scales * rows
            layer["bias"] = [bits.signed(bias_bits) << bias_shift for _ in range(rows)]
            layer["weights"] = read_weights(bits, rows, columns, form & 15)
            rest = bits.bits[bits.at :]
            assert len(rest) < 8 and not any(rest)
        layers.append(layer)
    assert len(data) - f.at <= 65535
    while f.at < len(data):
        kind, content = f.varint(), f.take(f.varint())
        if kind == 1:
            c, h, w = tensors[layers[-1]["output"]]["shape"]
            assert len(content.decode("utf-8").split("\n")) == c * h * w
    return tensors, layers


def clamp(value, bounds):
    return max(bounds[0], min(bounds[1], value))


def requantize(acc, scale, zero, bounds):
    acc = (acc + 2**31) % 2**32 - 2**31
    multiplier, shift = scale
    return clamp(zero + ((acc * multiplier + (1 << (shift - 1))) >> shift), bounds)


def run_layer(tensors, layer, x):
    c_in, h_in, w_in = tensors[layer["input"]]["shape"]
    c_out, h_out, w_out = tensors[layer["output"]]["shape"]
    zero_in, zero = tensors[layer["input"]]["zero"], tensors[layer["output"]]["zero"]

    def value(c, y, x_):
        inside = 0 <= y < h_in and 0 <= x_ < w_in
        return x[(c * h_in + y) * w_in + x_] - zero_in if inside else 0

    def conv(row, y, x_):
        acc, column = layer["bias"][row], 0
        per_group = c_in // layer["groups"]
        first = row // (c_out // layer["groups"]) * per_group
        for c in range(first, first + per_group):
            for ky in range(layer["kernel_height"]):
                for kx in range(layer["kernel_width"]):
                    w = layer["weights"][row][column]
                    column += 1
                    if w:
                        acc += w * value(c, y * layer["stride"] + ky - layer["pad"], x_ * layer["stride"] + kx - layer["pad"])
        return acc

    def element(c, y, x_):
        if layer["op"] == 0:
            n, step = layer["pool_size"], layer["pool_stride"]
            acc = max(conv(c, y * step + i, x_ * step + j) for i in range(n) for j in range(n))
            return requantize(acc, layer["scales"][c], zero, layer["clamp"])
        if layer["op"] == 1:
            acc = layer["bias"][c] + sum(w * (q - zero_in) for w, q in zip(layer["weights"][c], x))
            return requantize(acc, layer["scales"][c], zero, layer["clamp"])
        n, step = layer["kernel"], layer["stride"]
        window = [value(c, y * step + i, x_ * step + j) for i in range(n) for j in range(n)]
        if layer["op"] == 2:
            return clamp(max(window) + zero_in, layer["clamp"])
        return requantize(sum(window), layer["scale"], zero, layer["clamp"])

    return [element(c, y, x_) for c in range(c_out) for y in range(h_out) for x_ in range(w_out)]


def inputs(size):
    """Three patterns anyone can make again: a ramp, a multiplicative sequence, and the two extremes in turn."""
    yield [i % 256 - 128 for i in range(size)]
    yield [(i * 40503 >> 4) % 256 - 128 for i in range(size)]
    yield [127 if i % 3 else -128 for i in range(size)]


def main():
    for path in sorted(pathlib.Path(__file__).parent.glob("*.mote")):
        tensors, layers = read_container(path.read_bytes())
        c, h, w = tensors[0]["shape"]
        runs = []
        for x in inputs(c * h * w):
            values = {0: x}
            for layer in layers:
                values[layer["output"]] = run_layer(tensors, layer, values[layer["input"]])
            runs.append({"input": x, "layers": [values[layer["output"]] for layer in layers]})
        path.with_suffix(".json").write_text(json.dumps(runs, separators=(",", ":")) + "\n")
        print(f"{path.stem}: {len(layers)} layers")


if __name__ == "__main__":
    main()
