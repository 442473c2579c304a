"""Nets of int16 activations and int8 weights, and what LiteRT makes of them: int16-outputs.json, with the inputs. conv-int16.tflite is of TensorFlow's own
converter; of ops-int16.tflite, made by hand, each op reads the input by itself and gives an output of its own.

    pip install tensorflow-cpu==2.21.0 ai-edge-litert==2.3.0 && python tests/golden/import/int16.py

A softmax at the end is left to the host: its input is the output that is kept.
"""
import json
import os

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from export_tflite import ByHand, schema, write

FOLDER = os.path.dirname(os.path.abspath(__file__))
SAMPLES = {"conv": 8, "ops": 3}
KINDS, OPS, ACTIVATIONS = schema.TensorType, schema.BuiltinOperator, schema.ActivationFunctionType
keras = tf.keras
layers = keras.layers
tf.random.set_seed(3)
rng = np.random.default_rng(3)


def convolutional():
    """With biases and a gate."""
    some = keras.initializers.RandomNormal(0, 0.3, seed=5)
    x = inputs = keras.Input((9, 8, 2), batch_size=1, name="image")
    x = layers.ZeroPadding2D(((1, 0), (1, 1)))(x)
    x = layers.Conv2D(8, 3, strides=2, activation="relu6", bias_initializer=some)(x)
    y = layers.DepthwiseConv2D((3, 1), padding="same", activation="relu", bias_initializer=some)(x)
    y = layers.Conv2D(8, 1, bias_initializer=some)(y)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
    gate = layers.Conv2D(8, 1, activation="relu", bias_initializer=some)(gate)
    x = layers.Add()([x, layers.Multiply()([y, gate])])
    x = layers.Concatenate()([layers.MaxPooling2D(2)(x), layers.AveragePooling2D(2)(x)])
    x = layers.Flatten()(x)
    x = layers.Dense(12, activation="relu", bias_initializer=some)(x)
    return keras.Model(inputs, layers.Dense(5, activation="softmax", bias_initializer=some)(x))


def converted(model, shape):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([rng.uniform(-1, 1, shape).astype(np.float32)] for _ in range(20))
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    ]
    converter.inference_input_type = converter.inference_output_type = tf.int16
    return converter.convert()


class Net(ByHand):
    """Its input is [1, 4, 6, 2], of any int16; scales are such that few elements leave int16."""

    SCALE = np.float32(3.1e-5)

    def __init__(self):
        super().__init__()
        self.x = self.tensor("x", KINDS.INT16, [1, 4, 6, 2], scale=self.SCALE)
        self.outputs = []

    def give(self, name, code, shape, steps, inputs=(), kind=0, options=None):
        """@param steps of the input that a step of the output is"""
        y = self.tensor(name, KINDS.INT16, shape, scale=np.float32(self.SCALE * steps))
        self.operator(code, [self.x, *inputs], [y], kind, options)
        self.outputs.append(y)

    def weights(self, shape, axis=None, bias=KINDS.INT64):
        """@param axis along which each has a scale of its own"""
        rows = shape[0] if axis is None else shape[axis]
        scales = rng.uniform(0.5, 2, 1 if axis is None else rows).astype(np.float32) / 100
        w = self.tensor("w", KINDS.INT8, shape, rng.integers(-127, 128, shape).astype(np.int8), scale=1)
        q = self.main.tensors[w].quantization
        q.scale, q.zeroPoint, q.quantizedDimension = list(scales), [0] * len(scales), axis or 0
        if bias is None:
            return [w, -1]
        values = rng.integers(-3_000_000, 3_000_000, rows).astype(np.int64 if bias == KINDS.INT64 else np.int32)
        b = self.tensor("b", bias, [rows], values, scale=1)
        q = self.main.tensors[b].quantization
        q.scale, q.zeroPoint = [np.float32(self.SCALE * scale) for scale in scales], [0] * len(scales)
        return [w, b]

    def ints(self, *values):
        return self.tensor("list", KINDS.INT32, [len(values)], np.array(values, np.int32))


def options(kind, **fields):
    made = kind()
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def conv(kind, bias=KINDS.INT64, activation=ACTIVATIONS.NONE, **more):
    own = {"quantizedBiasType": bias} if kind is schema.Conv2DOptionsT else {}
    strides = {"strideW": 1, "strideH": 1, "dilationWFactor": 1, "dilationHFactor": 1}
    return options(kind, padding=schema.Padding.SAME, fusedActivationFunction=activation, **strides, **own, **more)


def pool(height, width):
    fields = {"padding": schema.Padding.VALID, "strideH": height, "strideW": width}
    return options(schema.Pool2DOptionsT, filterHeight=height, filterWidth=width, **fields)


def ops():
    f, shape = Net(), [1, 4, 6, 2]
    wide = [1, 4, 6, 8]
    relu6 = ACTIVATIONS.RELU6
    f.give("conv", OPS.CONV_2D, wide, 20, f.weights([8, 3, 3, 2], 0), 1, conv(schema.Conv2DOptionsT))
    f.give("relu6", OPS.CONV_2D, wide, 15, f.weights([8, 3, 3, 2], 0), 1, conv(schema.Conv2DOptionsT, activation=relu6))
    int32 = conv(schema.Conv2DOptionsT, KINDS.INT32)
    f.give("conv, int32", OPS.CONV_2D, wide, 20, f.weights([8, 3, 3, 2], 0, KINDS.INT32), 1, int32)
    depthwise = conv(schema.DepthwiseConv2DOptionsT, depthMultiplier=4)
    f.give("depthwise", OPS.DEPTHWISE_CONV_2D, wide, 9, f.weights([1, 3, 3, 8], 3), 2, depthwise)
    for name, axis, bias in [("dense", None, KINDS.INT64), ("rows", 0, KINDS.INT64), ("no bias", 0, None)]:
        fields = options(schema.FullyConnectedOptionsT, quantizedBiasType=KINDS.INT64)
        f.give(f"dense, {name}", OPS.FULLY_CONNECTED, [1, 12], 30, f.weights([12, 48], axis, bias), 8, fields)
    f.give("coarser", OPS.QUANTIZE, shape, 1.7, [], 86, schema.QuantizeOptionsT())
    coarser = f.outputs[-1]
    f.give("relu", OPS.RELU, shape, 0.75)
    f.give("sum", OPS.ADD, shape, 2.3, [coarser], 11, options(schema.AddOptionsT, potScaleInt16=False))
    f.give("twice", OPS.ADD, shape, 2, [f.x], 11, options(schema.AddOptionsT, potScaleInt16=False))
    f.give("product", OPS.MUL, shape, 0.9, [coarser], 21, schema.MulOptionsT())
    each = f.tensor("each", KINDS.INT16, [2], np.array([12345, -23456], np.int16), scale=Net.SCALE * np.float32(1.3))
    f.give("less", OPS.SUB, shape, 1.9, [each], 28, options(schema.SubOptionsT, potScaleInt16=False))
    f.give("scaled", OPS.MUL, shape, 0.9, [each], 21, schema.MulOptionsT())
    f.give("average of 4", OPS.AVERAGE_POOL_2D, [1, 2, 3, 2], 1, [], 5, pool(2, 2))
    f.give("average of 6", OPS.AVERAGE_POOL_2D, [1, 2, 2, 2], 1, [], 5, pool(2, 3))
    f.give("mean", OPS.MEAN, [1, 1, 1, 2], 0.4, [f.ints(1, 2)], 27, options(schema.ReducerOptionsT, keepDims=True))
    f.give("largest", OPS.MAX_POOL_2D, [1, 2, 3, 2], 1, [], 5, pool(2, 2))
    f.give("joined", OPS.CONCATENATION, [1, 4, 6, 4], 1, [f.x], 10, options(schema.ConcatenationOptionsT, axis=3))
    f.give("part", OPS.SLICE, [1, 2, 4, 1], 1, [f.ints(0, 1, 2, 1), f.ints(1, 2, 4, 1)])
    f.give("enlarged", OPS.RESIZE_NEAREST_NEIGHBOR, [1, 8, 12, 2], 1, [f.ints(8, 12)], 74, schema.ResizeNearestNeighborOptionsT())
    return f.content([f.x], f.outputs)


def answers(content, samples):
    it = Interpreter(model_content=content, experimental_preserve_all_tensors=True)
    it.allocate_tensors()
    given, outs = it.get_input_details()[0], it.get_output_details()
    nodes = it._get_ops_details()
    softmax = {node["outputs"][0]: node["inputs"][0] for node in nodes if node["op_name"] == "SOFTMAX"}
    runs = []
    for _ in range(samples):
        x = rng.integers(-32768, 32768, given["shape"]).astype(np.int16)
        it.set_tensor(given["index"], x)
        it.invoke()
        found = [it.get_tensor(softmax.get(out["index"], out["index"])) for out in outs]
        runs.append({"input": x.ravel().tolist(), "outputs": [y.ravel().tolist() for y in found]})
    return runs


if __name__ == "__main__":
    files = {"conv": converted(convolutional(), (1, 9, 8, 2)), "ops": ops()}
    for name, content in files.items():
        write(f"{name}-int16", content)
    with open(os.path.join(FOLDER, "int16-outputs.json"), "w") as file:
        json.dump({name: answers(content, SAMPLES[name]) for name, content in files.items()}, file, separators=(",", ":"))
        file.write("\n")
