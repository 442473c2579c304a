#!/usr/bin/env python3
"""An independent decoder and runner of .mote files, written from spec/container.md alone, slow and short.

Makes the expected outputs of the golden containers: for each NAME.mote beside this script it runs three inputs, one after the other, and
writes every layer's output into NAME.json.

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

    def i16(self):
        return struct.unpack("<h", self.take(2))[0]

    def i32(self):
        return struct.unpack("<i", self.take(4))[0]

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


class Ranges:
    """Range coded bits, with the contexts that they may have."""

    def __init__(self, bits):
        self.bits, self.range, self.code = bits, 1, 0

    def decode(self, p):
        while self.range < 1 << 24:
            more = len(self.bits.bits) - self.bits.at >= 8
            self.range, self.code = self.range << 8, self.code << 8 | (self.bits.unsigned(8) if more else 0)
        bound = (self.range >> 16) * p
        if self.code < bound:
            self.range = bound
            return 1
        self.range, self.code = self.range - bound, self.code - bound
        return 0

    def adapt(self, context):
        p, n = context
        bit = self.decode(p)
        context[:] = p + int(((65488 if bit else 48) - p) / (n + 2)), min(n + 1, 255)
        return bit


class Stream(Ranges):
    """The fields of a small container: bits of one stream, as likely 0 as 1."""

    def __init__(self, data):
        super().__init__(Bits(data[3:]))

    def unsigned(self, count):
        return sum(self.decode(32768) << i for i in range(count))

    def signed(self, count):
        value = self.unsigned(count)
        return value - (1 << count) if count and value >> (count - 1) else value

    def varint(self):
        length = 0
        while length < 30 and self.unsigned(1):
            length += 1
        return (1 << length) - 1 + self.unsigned(length)

    u8 = varint

    def dimension(self, near):
        value = self.varint()
        return near - (value + 1) // 2 if value % 2 else near + value // 2

    def i8(self):
        return self.signed(8) if self.unsigned(1) else -128

    def i16(self):
        return self.varint() - 32768

    def u32(self):
        return self.unsigned(32)

    def i32(self):
        return self.signed(32)

    def scale(self):
        bits = self.unsigned(32) if self.unsigned(1) else 0x3B808081
        return struct.unpack("<f", struct.pack("<I", bits))[0]

    def behind(self, data):
        """What follows the stream."""
        return Bytes(data, 3 + self.bits.at // 8)


def tilted():
    return [[32768 + 5000 * (i - 6), 0] for i in range(13)]


def read_arithmetic(bits, rows, columns, kernel):
    largest, rarity, has_map = bits.unsigned(7) + 1, bits.unsigned(5), bits.unsigned(1)
    coder = bits if isinstance(bits, Stream) else Ranges(bits)
    side, signs = tilted(), tilted()
    before, alphabet = 1, []
    for value in (v for v in range(-largest, largest + 1) if v):
        before = coder.adapt(side[8 if before else 4])
        alphabet += [value] * before
    assert 128 not in alphabet
    by_sign = {1: [v for v in alphabet if v > 0], -1: [v for v in reversed(alphabet) if v < 0]}
    height, width = kernel
    live = [1] * columns
    for c in range(columns if has_map else 0):
        left, above = c > 0 and live[c - 1], c >= width and live[c - width]
        live[c] = coder.adapt(side[3 + 2 * left + 4 * above])
    assert any(live)
    contexts, by_column, by_neighbours = {}, [0] * columns, [k << 14 for k in range(7)]
    weights = [[0] * columns for _ in range(rows)]
    for row in weights:
        logit, ranks = -rarity << 14, {}
        assert -32768 not in by_column
        for c in (c for c in range(columns) if live[c]):
            y, x = c // width % height, c % width
            places = [(2, c - 1, x), (2, c - width, y), (1, c - width - 1, x and y), (1, c - width + 1, y and x + 1 < width)]
            around = [(times, ranks[at]) for times, at, inside in places if inside and at in ranks]
            k = sum(times for times, _ in around)
            t = logit + 32 * by_column[c] + by_neighbours[k]
            a = min(t if t >= 0 else -1 - t, 589824)
            q = (32768 - a % 65536 // 4) >> a // 65536
            u = q if t >= 0 else 65535 - q
            none = coder.decode(u)
            e = u - 65536 * none
            logit += e // 16
            by_neighbours[k] += e // 16
            by_column[c] = (by_column[c] + int(e / 256) + 32768) % 65536 - 32768
            if none:
                continue
            sign = 1 if coder.adapt(signs[6 + sum(times * (1 if r > 0 else -1) for times, r in around)]) else -1
            large = any(16 * abs(r) > 3 * len(alphabet) for _, r in around)
            rank, values = 1, by_sign[sign]
            while rank < len(values) and coder.adapt(contexts.setdefault((large, sign, rank), [43690, 1])):
                rank += 1
            row[c] = values[rank - 1] if values else 0
            ranks[c] = sign * rank
    return weights


def read_cabac(bits, rows, columns):
    flags = bits.unsigned(4)
    shifts = [bits.unsigned(3) + 1]
    shifts.append(shifts[0] + bits.unsigned(3))
    values = {level: level for level in range(-128, 128)}
    if bits.unsigned(1):
        below, above = bits.unsigned(8), bits.unsigned(8)
        assert below + above <= 254
        values = {level: bits.signed(8) if level else 0 for level in range(-below, above + 1)}
    coder = Ranges(bits)
    contexts = [[32768, 32768] for _ in range(13 + 2 * flags)]

    def bin_of(context):
        estimates = contexts[context]
        one = coder.decode(sum(estimates) >> 1)
        contexts[context] = [e + (65536 - e >> s) if one else e - (e >> s) for e, s in zip(estimates, shifts)]
        return one

    def magnitude(sign):
        for k in range(1, flags + 1):
            if not bin_of(6 + 2 * (k - 1) + sign):
                return k
        e = 0
        while e < 7 and bin_of(6 + 2 * flags + e):
            e += 1
        r = 1
        for _ in range(e):
            r = r << 1 | coder.decode(32768)
        return flags + r

    weights, before = [], 0
    for _ in range(rows * columns):
        state = (before > 0) + 2 * (before < 0)
        before = 0
        if bin_of(state):
            sign = bin_of(3 + state)
            before = magnitude(sign) * (-1 if sign else 1)
        weights.append(values[before])
    return [weights[row * columns : (row + 1) * columns] for row in range(rows)]


def read_gaussian(bits, rows, columns):
    s = bits.unsigned(5)
    c = (370727 if s % 2 else 524288) // 2 ** (s // 2)
    exponents = [k * k * c for k in range(128)]
    shares = [(65536 - e % 65536 // 2) >> 4 + e // 65536 if e < 13 * 65536 else 0 for e in exponents]
    table = []
    for k in range(128):
        beyond = sum(shares[k + 1 :]) * (1 if k else 2)
        table.append(max(64, beyond * 2048 // (beyond + shares[k]) * 32) if beyond else 0)
    coder = bits if isinstance(bits, Stream) else Ranges(bits)

    def weight():
        if not coder.decode(table[0]):
            return 0
        sign, k = 1 if coder.decode(32768) else -1, 1
        while table[k] and coder.decode(table[k]):
            k += 1
        return sign * k

    return [[weight() for _ in range(columns)] for _ in range(rows)]


def read_weights(bits, rows, columns, codec, kernel):
    weights = [[0] * columns for _ in range(rows)]
    if codec == 0:
        return [[bits.signed(8) for _ in range(columns)] for _ in range(rows)]
    if codec == 2:
        return read_arithmetic(bits, rows, columns, kernel)
    if codec == 3:
        return read_cabac(bits, rows, columns)
    if codec == 4:
        return read_gaussian(bits, rows, columns)
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


def read_pair(f, least=1):
    """A number for each axis, y then x."""
    value = f.varint() + (2 * least if isinstance(f, Stream) else 0)
    if value % 2 == 0:
        return value // 2, value // 2
    y, x = value // 2, f.varint()
    assert y != x
    return y, x


def read_form(f, zero, wide, first):
    """The bits of a form, and the range of the output."""
    form = f.u8() ^ first
    low, high = (-32768, 32767) if wide else (-128, 127)
    element = f.i16 if wide else f.i8
    if form & 0x40:
        low = zero if form & 0x20 else element()
        high = element()
    elif form & 0x20:
        low = zero
    assert low <= high
    return form, (low, high)


def read_container(data):
    f = Bytes(data)
    small = data[0] in (0xB3, 0xB5)
    if small:
        assert data[1] | data[2] << 8 == zlib.crc32(data[3:]) & 0xFFFF
        f, wide = Stream(data), data[0] == 0xB5
    else:
        assert f.take(3) == b"MOT"
        version = f.u8()
        assert version in (2, 4)
        wide = version == 4
        assert f.u32() == zlib.crc32(data[8:])
    ops, codecs = f.varint(), f.varint()
    tensor_count, layer_count = f.varint(), f.varint()
    given = tensor_count - layer_count
    assert given >= 1 <= layer_count
    if not small or f.unsigned(1):
        f.varint()
    _, arena = [8 * f.varint() for _ in range(2)]
    tensors = []
    channels = height = 0
    for index in range(tensor_count):
        if small:
            channels = f.varint() if f.unsigned(1) else channels
            flags = f.u8()
            flags = flags >> 4 | (flags & 15) << 4
            height = f.dimension(height) if flags & 0x10 else 1
            size = (height, f.dimension(height) if flags & 0x10 else 1)
        else:
            channels, flags = f.varint(), f.u8()
            size = (f.varint(), f.varint()) if flags & 0x10 else (1, 1)
        assert channels > 0 and min(size) > 0
        if flags & 0x20:
            assert f.varint() > channels
        if flags & 0x40:
            assert (f.scale() if small else f.f32()) > 0
        tensor = {"shape": (channels, *size), "zero": f.i8(), "end": bool(flags & 0x40), "border": flags & 15}
        tensor["bytes"] = 2 if wide else 1
        assert not wide or tensor["zero"] == 0
        lines, pitch = (s + 2 * tensor["border"] for s in size)
        last = arena - channels * lines * pitch * tensor["bytes"]
        tensor["place"] = f.varint() if not small or f.unsigned(1) else last
        assert 0 <= tensor["place"] <= last
        assert tensor["place"] % tensor["bytes"] == 0
        tensor["source"] = f.varint() if flags & 0x80 else None
        assert tensor["source"] is None or 0 < index < given and not tensor["end"]
        tensors.append(tensor)
    layers, used_ops, used_codecs = [], 0, 0
    for output in range(given, tensor_count):
        op = f.u8()
        count = 2 if op in (4, 5, 6, 10) else 1
        layer = {"op": op, "inputs": [output - 1 - f.varint() for _ in range(count)], "output": output}
        assert count > 0 and min(layer["inputs"]) >= 0
        used_ops |= 1 << op
        input_ = tensors[layer["inputs"][0]]
        c, h, w = input_["shape"]
        columns, kernel = c * h * w, (h, w)
        if op in (0, 2, 3):
            layer.update(kernel=read_pair(f), stride=read_pair(f), pad=read_pair(f, 0))
            assert max(layer["pad"]) <= input_["border"]
        if layer["op"] == 0:
            layer.update(groups=f.varint(), pool=read_pair(f), pool_stride=read_pair(f))
            kernel = layer["kernel"]
            columns = c // layer["groups"] * kernel[0] * kernel[1]
        if op < 6:
            first = (codecs & -codecs).bit_length() - 1 if small and op < 2 else 0
            form, layer["clamp"] = read_form(f, tensors[output]["zero"], wide, first)
        if op == 4:
            layer["factors"], layer["shift"] = (f.i32(), f.i32()), f.u8()
        if op == 5:
            layer["scale"] = f.u32(), f.u8()
        if op == 6:
            place = tensors[output]["place"]
            for part in (tensors[i] for i in layer["inputs"]):
                c, h, w = part["shape"]
                b = part["border"]
                assert (part["place"], b, part["zero"]) == (place, tensors[output]["border"], tensors[output]["zero"])
                place += c * (h + 2 * b) * (w + 2 * b) * part["bytes"]
        if op == 7:
            assert not wide
            layer["table"] = [f.i8() for _ in range(256)]
        if op == 8:
            layer["factor"] = read_pair(f)
        if op == 9:
            layer["channel"], layer["first"] = f.varint(), read_pair(f, 0)
        if layer["op"] == 3:
            layer["scale"] = f.u32(), f.u8()
        if layer["op"] < 2:
            used_codecs |= 1 << (form & 7)
            rows = tensors[output]["shape"][0]
            bits = f if small else Bits(f.take(f.varint()))
            stated = f.varint() if small else 0
            has_biases = not small or bits.unsigned(1)
            bias_bits, bias_shift = (bits.unsigned(6), bits.unsigned(5)) if has_biases else (0, 0)

            def multiplier():
                return 1 << 30 | bits.unsigned(stated) << (30 - stated) if small else bits.unsigned(31)

            scales = [(multiplier(), bits.unsigned(6)) for _ in range(rows if form & 16 else 1)]
            layer["scales"] = scales if form & 16 else scales * rows
            layer["bias"] = [bits.signed(bias_bits) << bias_shift for _ in range(rows)]
            layer["weights"] = read_weights(bits, rows, columns, form & 7, kernel)
            rest = [] if small else bits.bits[bits.at :]
            assert len(rest) < 8 and not any(rest)
        layers.append(layer)
    assert (ops, codecs) == (used_ops, used_codecs)
    inputs = [i for i in range(given) if tensors[i]["source"] is None]
    outputs = [i for i in range(given, tensor_count) if tensors[i]["end"]]
    f = f.behind(data) if small else f
    assert outputs and len(data) - f.at <= 65535
    while f.at < len(data):
        kind, content = f.varint(), f.take(f.varint())
        c, h, w = tensors[outputs[0]]["shape"]
        if kind == 1:
            assert len(content.decode("utf-8").split("\n")) == c * h * w
        if kind == 2:
            assert len(content.decode("utf-8").split("\n")) == len(inputs) + len(outputs)
        if kind == 3:
            assert len(content) == 2 + 8 * tensors[0]["shape"][0]
    return tensors, layers, inputs


def clamp(value, bounds):
    return max(bounds[0], min(bounds[1], value))


def requantize(acc, scale, zero, bounds):
    acc = (acc + 2**31) % 2**32 - 2**31
    multiplier, shift = scale
    return clamp(zero + ((acc * multiplier + (1 << (shift - 1))) >> shift), bounds)


def run_layer(tensors, layer, xs):
    x, other = xs[0], xs[-1]
    c_in, h_in, w_in = tensors[layer["inputs"][0]]["shape"]
    c_out, h_out, w_out = tensors[layer["output"]]["shape"]
    zero_in, zero = tensors[layer["inputs"][0]]["zero"], tensors[layer["output"]]["zero"]
    zero_other = tensors[layer["inputs"][-1]]["zero"]

    def value(c, y, x_):
        inside = 0 <= y < h_in and 0 <= x_ < w_in
        return x[(c * h_in + y) * w_in + x_] - zero_in if inside else 0

    def conv(row, y, x_):
        acc, column = layer["bias"][row], 0
        per_group = c_in // layer["groups"]
        first = row // (c_out // layer["groups"]) * per_group
        (kernel_y, kernel_x), (stride_y, stride_x), (top, left) = layer["kernel"], layer["stride"], layer["pad"]
        for c in range(first, first + per_group):
            for ky in range(kernel_y):
                for kx in range(kernel_x):
                    w = layer["weights"][row][column]
                    column += 1
                    if w:
                        acc += w * value(c, y * stride_y + ky - top, x_ * stride_x + kx - left)
        return acc

    def element(c, y, x_):
        if layer["op"] == 0:
            (pool_y, pool_x), (step_y, step_x) = layer["pool"], layer["pool_stride"]
            acc = max(conv(c, y * step_y + i, x_ * step_x + j) for i in range(pool_y) for j in range(pool_x))
            return requantize(acc, layer["scales"][c], zero, layer["clamp"])
        if layer["op"] == 1:
            acc = layer["bias"][c] + sum(w * (q - zero_in) for w, q in zip(layer["weights"][c], x))
            return requantize(acc, layer["scales"][c], zero, layer["clamp"])
        at = (c * h_out + y) * w_out + x_
        if layer["op"] == 4:
            a, b = layer["factors"]
            acc = (x[at] - zero_in) * a + (other[at] - zero_other) * b
            assert -(2**31) <= acc < 2**31
            return clamp(zero + ((acc + (1 << (layer["shift"] - 1))) >> layer["shift"]), layer["clamp"])
        if layer["op"] == 5:
            gate = other[at // (len(x) // len(other))] - zero_other
            return requantize((x[at] - zero_in) * gate, layer["scale"], zero, layer["clamp"])
        if layer["op"] == 7:
            return layer["table"][x[at] + 128]
        if layer["op"] == 8:
            return value(c, y // layer["factor"][0], x_ // layer["factor"][1]) + zero_in
        if layer["op"] == 9:
            top, left = layer["first"]
            return value(c + layer["channel"], y + top, x_ + left) + zero_in
        (kernel_y, kernel_x), (step_y, step_x), (top, left) = layer["kernel"], layer["stride"], layer["pad"]
        window = [
            value(c, y * step_y + i - top, x_ * step_x + j - left) for i in range(kernel_y) for j in range(kernel_x)
        ]
        if layer["op"] == 2:
            return clamp(max(window) + zero_in, layer["clamp"])
        multiplier, shift = layer["scale"]
        product = sum(window) * multiplier
        down = zero + (product >> shift) < 0
        return clamp(zero + ((product + (1 << (shift - 1)) - down) >> shift), layer["clamp"])

    if layer["op"] == 10:
        c_behind, h_behind, w_behind = tensors[layer["inputs"][1]]["shape"]
        assert c_in == c_behind == c_out
        rows = [x[i * w_in :][:w_in] for i in range(c_in * h_in)]
        behind = [other[i * w_behind :][:w_behind] for i in range(c_in * h_behind)]
        if w_in == w_behind == w_out:
            channels = [rows[c * h_in :][:h_in] + behind[c * h_behind :][:h_behind] for c in range(c_in)]
            assert h_in + h_behind >= h_out
            return [q for channel in channels for row in channel[-h_out:] for q in row]
        assert h_in == h_behind == h_out and w_in + w_behind >= w_out
        return [q for row, more in zip(rows, behind) for q in (row + more)[-w_out:]]
    if layer["op"] == 6:
        return [q for part in xs for q in part]
    return [element(c, y, x_) for c in range(c_out) for y in range(h_out) for x_ in range(w_out)]


def inputs(tensor):
    """Three patterns anyone can make again: a ramp, a multiplicative sequence, and the two extremes in turn."""
    size, half = size_of(tensor), 128 << 8 * (tensor["bytes"] - 1)
    step = 251 if tensor["bytes"] == 2 else 1
    yield [i * step % (2 * half) - half for i in range(size)]
    yield [(i * step * 40503 >> 4) % (2 * half) - half for i in range(size)]
    yield [half - 1 if i % 3 else -half for i in range(size)]


def size_of(tensor):
    c, h, w = tensor["shape"]
    return c * h * w


def main():
    for path in sorted(pathlib.Path(__file__).parent.glob("*.mote")):
        tensors, layers, given = read_container(path.read_bytes())
        states = {i: [t["zero"]] * size_of(t) for i, t in enumerate(tensors) if t["source"] is not None}
        runs = []
        for patterns in zip(*(inputs(tensors[i]) for i in given)):
            values = {**dict(zip(given, patterns)), **states}
            for layer in layers:
                values[layer["output"]] = run_layer(tensors, layer, [values[i] for i in layer["inputs"]])
            states = {i: values[tensors[i]["source"]] for i in states}
            runs.append({"inputs": patterns, "layers": [values[layer["output"]] for layer in layers]})
        path.with_suffix(".json").write_text(json.dumps(runs, separators=(",", ":")) + "\n")
        print(f"{path.stem}: {len(layers)} layers")


if __name__ == "__main__":
    main()
