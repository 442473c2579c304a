"""A net of SVDF in real numbers, with states of int8 and with states of int16, and what their runtimes make of a stream, step by step: LiteRT of the
first and the last, TensorFlow Lite Micro of the second, which LiteRT does not run.

    pip install tensorflow-cpu==2.21.0 ai-edge-litert==2.3.0 tflite-micro==0.dev20261023182759
    python tests/golden/import/svdf.py
"""
import json
import os

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from tflite_micro.python.tflite_micro import runtime

from export_tflite import ByHand, schema, write
from stream import frames

FOLDER = os.path.dirname(os.path.abspath(__file__))
STEPS = 240
KINDS, ACTIVATIONS = schema.TensorType, schema.ActivationFunctionType
IN_SCALE, IN_ZERO = 0.03125, -128
S_ZERO = -7
rng = np.random.default_rng(5)

# Filters, rank, steps that are kept. Integers run with a bias and a relu alone.
LAYERS = [(12, 2, 6), (5, 1, 9)]
CLASSES = 3


def layers():
    columns = 8
    for filters, rank, memory in LAYERS:
        units = filters // rank
        feature = rng.normal(0, columns**-0.5, (filters, columns))
        time = rng.normal(0, (memory * rank) ** -0.5, (filters, memory))
        yield feature, time, rng.normal(0, 0.3, units), rank
        columns = units
    yield rng.normal(0, columns**-0.5, (CLASSES, columns)), None, rng.normal(0, 0.3, CLASSES), 1


def float_run(net, steps):
    """Least and most of each layer's filters and outputs, by NumPy."""
    states = [None if time is None else np.zeros(time.shape) for _, time, _, _ in net]
    seen = [[[0.0, 0.0], [0.0, 0.0]] for _ in net]

    def see(pair, values):
        pair[0], pair[1] = min(pair[0], values.min()), max(pair[1], values.max())

    for x in steps:
        for i, (feature, time, bias, rank) in enumerate(net):
            x = feature @ x
            see(seen[i][0], x)
            if time is not None:
                states[i] = np.concatenate([states[i][:, 1:], x[:, None]], axis=1)
                x = (states[i] * time).sum(axis=1).reshape(-1, rank).sum(axis=1)
            x = x + bias if time is None else np.maximum(x + bias, 0)
            see(seen[i][1], x)
    return seen


def affine(low, high):
    scale = np.float32((high - low) / 255)
    return scale, int(np.clip(round(-128 - low / scale), -128, 127))


def symmetric(values, most, dtype):
    scale = np.float32(np.abs(values).max() / most)
    return np.round(values / scale).astype(dtype), scale


def dense(by_hand, inputs, output):
    options = schema.FullyConnectedOptionsT()
    by_hand.operator(schema.BuiltinOperator.FULLY_CONNECTED, inputs, [output], 8, options)


def float_file(net):
    f = ByHand()
    first = x = f.tensor("step", KINDS.FLOAT32, [1, 8])

    def constant(name, values):
        return f.tensor(name, KINDS.FLOAT32, values.shape, values.astype(np.float32))

    for i, (feature, time, bias, rank) in enumerate(net):
        weights = constant(f"feature{i}", feature)
        rows = len(feature) // rank
        inputs = [x, weights, constant(f"bias{i}", bias)]
        x = f.tensor(f"out{i}", KINDS.FLOAT32, [1, rows])
        if time is None:
            dense(f, inputs, x)
            continue
        state = f.tensor(f"state{i}", KINDS.FLOAT32, [1, time.size], variable=True)
        f.svdf([*inputs[:2], constant(f"time{i}", time), inputs[2], state], x, rank, ACTIVATIONS.RELU)
    return f.content([first], [x])


def integer_file(net, seen, bits):
    """With states of so many bits. Those of 8 begin with samples of int16, as TensorFlow Lite Micro's keyword net does."""
    f = ByHand()
    first = x = f.tensor("step", KINDS.INT8, [1, 8], scale=IN_SCALE, zero=IN_ZERO)
    if bits == 8:
        first = f.tensor("samples", KINDS.INT16, [1, 8], scale=IN_SCALE / 100)
        f.operator(schema.BuiltinOperator.QUANTIZE, [first], [x], 86, schema.QuantizeOptionsT())
    x_scale, dtype, kind = IN_SCALE, *((np.int8, KINDS.INT8) if bits == 8 else (np.int16, KINDS.INT16))
    for i, (feature, time, bias, rank) in enumerate(net):
        weights, w_scale = symmetric(feature, 127, np.int8)
        inputs = [x, f.tensor(f"feature{i}", KINDS.INT8, weights.shape, weights, w_scale)]
        acc_scale = x_scale * w_scale
        if time is not None:
            (low, high), most = seen[i][0], 2 ** (bits - 1) - 1
            # TensorFlow Lite Micro's release cuts a filter to int8 before it adds the zero point, and what is beyond then comes round again.
            s_zero = S_ZERO if bits == 8 else 0
            s_scale = np.float32(max(-low, high) / (most - abs(s_zero)))
            state = f.tensor(f"state{i}", kind, [1, time.size], scale=s_scale, zero=s_zero, variable=True)
            weights, w_scale = symmetric(time, most, dtype)
            inputs.append(f.tensor(f"time{i}", kind, weights.shape, weights, w_scale))
            acc_scale = s_scale * w_scale
        integers = np.round(bias / acc_scale).astype(np.int32)
        inputs.append(f.tensor(f"bias{i}", KINDS.INT32, bias.shape, integers, acc_scale))
        x_scale, zero = affine(*seen[i][1])
        x = f.tensor(f"out{i}", KINDS.INT8, [1, len(feature) // rank], scale=x_scale, zero=zero)
        if time is None:
            dense(f, inputs, x)
        else:
            f.svdf([*inputs, state], x, rank, ACTIVATIONS.RELU)
    return f.content([first], [x])


def litert(content, inputs):
    it = Interpreter(model_content=content)
    it.allocate_tensors()
    given, out = it.get_input_details()[0], it.get_output_details()[0]
    for x in inputs:
        it.set_tensor(given["index"], x)
        it.invoke()
        yield it.get_tensor(out["index"]).ravel()


def micro(content, inputs):
    it = runtime.Interpreter.from_bytes(content)
    for x in inputs:
        it.set_input(x, 0)
        it.invoke()
        yield it.get_output(0).ravel()


if __name__ == "__main__":
    steps = frames((1, 8), STEPS)
    reals = ((steps.astype(np.float32) - IN_ZERO) * IN_SCALE).astype(np.float32)
    net = list(layers())
    seen = float_run(net, reals.reshape(STEPS, 8))
    files = {"float": float_file(net), "int8": integer_file(net, seen, 8), "int16": integer_file(net, seen, 16)}
    for name, content in files.items():
        write(f"svdf-{name}", content)
    answers = {
        "float": [[float(f"{y:.6g}") for y in out.tolist()] for out in litert(files["float"], reals)],
        "int8": [out.tolist() for out in micro(files["int8"], ((steps.astype(np.int16) - IN_ZERO) * 100))],
        "int16": [out.tolist() for out in litert(files["int16"], steps)],
    }
    runs = [{"input": x.ravel().tolist(), **{name: outs[i] for name, outs in answers.items()}} for i, x in enumerate(steps)]
    with open(os.path.join(FOLDER, "svdf-outputs.json"), "w") as file:
        json.dump(runs, file, separators=(",", ":"))
        file.write("\n")
