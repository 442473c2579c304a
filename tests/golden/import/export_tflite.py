"""Small TFLite files by TensorFlow's own converter, and beside each what TensorFlow's own code of the schema reads in it, as JSON.

    pip install tensorflow-cpu==2.21.0 && python tests/golden/import/export_tflite.py

Converter and initializers differ between versions, so the files are kept; every run writes other weights.
"""
import json
import os
import re

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import flatbuffers
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

FOLDER = os.path.dirname(os.path.abspath(__file__))
keras = tf.keras
layers = keras.layers
tf.random.set_seed(1)
rng = np.random.default_rng(1)


def convolutional():
    """Residual, concatenated, depthwise: what lowering will meet."""
    x = inputs = keras.Input((12, 10, 3), batch_size=1, name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(6.0)(x)
    y = layers.DepthwiseConv2D((3, 1), padding="same", dilation_rate=1, activation="relu")(x)
    x = layers.Add()([x, layers.Conv2D(8, 1)(y)])
    x = layers.Concatenate()([layers.MaxPooling2D(2)(x), layers.AveragePooling2D(2)(x)])
    x = layers.Flatten()(x)
    x = layers.Dense(5, activation="softmax")(x)
    return keras.Model(inputs, x)


def shaped():
    """Ops that move, resize or bend, with a batch that is open."""
    x = inputs = keras.Input((6, 6, 2), name="image")
    x = layers.ZeroPadding2D(((1, 0), (0, 1)))(x)
    x = layers.UpSampling2D(2, interpolation="nearest")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    x = layers.LeakyReLU(0.25)(x)
    x = layers.Permute((3, 1, 2))(x)
    x = layers.Conv2D(3, 3, dilation_rate=2, padding="same")(x)
    x = layers.Lambda(lambda t: keras.activations.hard_swish(t) if hasattr(keras.activations, "hard_swish") else t)(x)
    x = layers.Activation("sigmoid")(x)
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    return keras.Model(inputs, x)


def recurrent():
    """Becomes a loop."""
    inputs = keras.Input((4, 3), batch_size=1, name="frames")
    return keras.Model(inputs, layers.Dense(2)(layers.LSTM(4)(inputs)))


class Streaming(tf.Module):
    """Keeps its last inputs in a variable."""

    def __init__(self):
        self.state = tf.Variable(tf.zeros((1, 2, 3)))

    @tf.function(input_signature=[tf.TensorSpec((1, 1, 3), tf.float32, name="frame")])
    def step(self, frame):
        window = tf.concat([self.state, frame], axis=1)
        self.state.assign(window[:, 1:, :])
        halves = tf.split(tf.cast(tf.gather(window, [0, 2], axis=1), tf.float32), 2, axis=1)
        return {"sum": halves[0] + halves[1], "stacked": tf.stack(tf.unstack(window, axis=1), axis=0)}


class Listening(tf.Module):
    """A net of a stream: windows over time of what comes and of what layers give, halves of a window's channels with kernels of their own."""

    def __init__(self):
        weights = lambda *shape: tf.constant(rng.normal(0, 0.5, shape).astype(np.float32))
        self.first, self.deep = weights(5, 1, 8, 12), [weights(4, 1, 6, 1), weights(7, 1, 6, 1)]
        self.mixed, self.last = weights(1, 1, 12, 10), weights(10 * 3, 4)
        self.frames = tf.Variable(tf.zeros((1, 3, 1, 8)), name="frames")
        self.features = tf.Variable(tf.zeros((1, 6, 1, 12)), name="features")
        self.votes = tf.Variable(tf.zeros((1, 3, 1, 10)), name="votes")

    @tf.function(input_signature=[tf.TensorSpec((1, 2, 8), tf.float32, name="frames")])
    def step(self, frames):
        window = tf.concat([self.frames, tf.reshape(frames, (1, 2, 1, 8))], axis=1)
        self.frames.assign(window[:, -3:])
        x = tf.nn.relu(tf.nn.conv2d(window, self.first, 1, "VALID"))
        window = tf.concat([self.features, x], axis=1)
        self.features.assign(window[:, -6:])
        halves = tf.split(window, 2, axis=3)
        deep = [
            tf.nn.depthwise_conv2d(half[:, -kernel.shape[0] :], kernel, (1, 1, 1, 1), "VALID")
            for half, kernel in zip(halves, self.deep)
        ]
        x = tf.nn.relu(tf.nn.conv2d(tf.concat(deep, axis=3), self.mixed, 1, "VALID"))
        votes = tf.concat([self.votes[:, 1:], x], axis=1)
        self.votes.assign(votes)
        return {"heard": tf.sigmoid(tf.matmul(tf.reshape(votes, (1, 30)), self.last))}


class Branching(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec((1, 4), tf.float32, name="x")])
    def choose(self, x):
        return {"y": tf.cond(tf.reduce_sum(x) > 0.0, lambda: x - 1.0, lambda: x * 2.0)}


class Foreign(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec((3, 3), tf.float32, name="matrix")])
    def factor(self, matrix):
        return {"factor": tf.linalg.cholesky(matrix)}


def samples(shape):
    return lambda: ([rng.uniform(0, 1, shape).astype(np.float32)] for _ in range(20))


def from_keras(model, optimize=False, data=None, types=None, sparse=False):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if optimize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if sparse:
        converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY]
    if types:
        converter.target_spec.supported_types = types
    if data:
        converter.representative_dataset = data
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def from_module(module, function, custom=False, data=None):
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], module)
    converter.allow_custom_ops = custom
    if data:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = data
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type, converter.inference_output_type = tf.int8, tf.uint8
        converter._experimental_variable_quantization = True
    return converter.convert()


def sparse():
    model = keras.Model(inputs := keras.Input((64,), batch_size=1), layers.Dense(16)(inputs))
    weights, bias = model.layers[-1].get_weights()
    keep = rng.uniform(0, 1, (16, 16, 1)) < 0.15
    model.layers[-1].set_weights([(weights.T.reshape(16, 16, 4) * keep).reshape(16, 64).T, bias])
    return from_keras(model, optimize=False, sparse=True)


class ByHand:
    """A net tensor by tensor and op by op."""

    def __init__(self):
        self.model, self.main = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.buffers, self.model.operatorCodes = 3, [schema.BufferT()], []
        self.main.name, self.main.operators, self.main.tensors = "main", [], []

    def tensor(self, name, dtype, shape, data=None, scale=None, zero=0, variable=False):
        t = schema.TensorT()
        t.name, t.type, t.shape, t.isVariable = name, dtype, shape, variable
        if data is not None:
            t.buffer = len(self.model.buffers)
            self.model.buffers.append(schema.BufferT())
            self.model.buffers[-1].data = np.frombuffer(data.tobytes(), np.uint8)
        if scale is not None:
            t.quantization = schema.QuantizationParametersT()
            t.quantization.scale, t.quantization.zeroPoint = [scale], [zero]
        self.main.tensors.append(t)
        return len(self.main.tensors) - 1

    def operator(self, code, inputs, outputs, kind=0, options=None):
        op, entry = schema.OperatorT(), schema.OperatorCodeT()
        entry.builtinCode = entry.deprecatedBuiltinCode = code
        op.opcodeIndex, op.inputs, op.outputs = len(self.model.operatorCodes), inputs, outputs
        op.builtinOptionsType, op.builtinOptions = kind, options
        self.model.operatorCodes.append(entry)
        self.main.operators.append(op)

    def svdf(self, inputs, output, rank, activation):
        options = schema.SVDFOptionsT()
        options.rank, options.fusedActivationFunction = rank, activation
        self.operator(schema.BuiltinOperator.SVDF, inputs, [output], 6, options)

    def content(self, inputs, outputs):
        self.main.inputs, self.main.outputs = inputs, outputs
        self.model.subgraphs = [self.main]
        builder = flatbuffers.Builder()
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def by_hand():
    """What this converter does not write: states that are variables, weights of 4 bits."""
    net, kinds = ByHand(), schema.TensorType
    frame = net.tensor("frame", kinds.INT8, [1, 4], scale=0.5)
    feature = net.tensor("feature", kinds.INT4, [2, 4], np.array([0x21, 0xF8, 0x70, 0x9A], np.uint8), scale=0.25)
    time = net.tensor("time", kinds.INT16, [2, 3], np.arange(-3, 3, dtype=np.int16), scale=0.125)
    state = net.tensor("state", kinds.INT16, [1, 6], variable=True)
    filtered = net.tensor("filtered", kinds.INT8, [1, 2], scale=0.5)
    net.svdf([frame, feature, time, -1, state], filtered, 1, schema.ActivationFunctionType.RELU)
    out = net.tensor("out", kinds.INT8, [1, 2], scale=0.5)
    lstm = schema.UnidirectionalSequenceLSTMOptionsT()
    lstm.fusedActivationFunction, lstm.cellClip, lstm.timeMajor = schema.ActivationFunctionType.TANH, 10.0, True
    net.operator(schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM, [filtered] + [-1] * 23, [out], 71, lstm)
    return net.content([frame], [out])


def names(cls):
    return {value: key for key, value in vars(cls).items() if isinstance(value, int)}


OPS, TYPES = names(schema.BuiltinOperator), names(schema.TensorType)
ENUMS = {
    "padding": names(schema.Padding),
    "fusedActivationFunction": names(schema.ActivationFunctionType),
    "weightsFormat": names(schema.FullyConnectedOptionsWeightsFormat),
    "quantizedBiasType": TYPES,
    "inDataType": TYPES,
    "outDataType": TYPES,
    "outType": TYPES,
}


def plain(value):
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value


def attributes(options):
    if options is None:
        return {}
    found = {}
    for key, value in vars(options).items():
        snake = re.sub(r"(?<!^)([A-Z])", lambda match: "_" + match[1].lower(), key)
        if value is not None:
            found[snake] = ENUMS[key][value] if key in ENUMS else plain(value)
    return found


def describe(content):
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    main = model.subgraphs[0]
    codes = []
    for code in model.operatorCodes:
        op = OPS[max(code.builtinCode, code.deprecatedBuiltinCode)]
        codes.append("CUSTOM:" + code.customCode.decode() if op == "CUSTOM" else op)

    numbers = {"float32": np.float32, "float16": np.float16, "int8": np.int8, "int32": np.int32, "int16": np.int16}

    def tensor(t):
        q = t.quantization
        scaled = q is not None and q.scale is not None and len(q.scale) > 0
        data = model.buffers[t.buffer].data
        dtype = TYPES[t.type].lower()
        values = None
        if data is not None and dtype in numbers:
            values = np.frombuffer(data.tobytes(), numbers[dtype]).astype(np.float64)[:4]
        return {
            "name": t.name.decode(),
            "type": dtype,
            "shape": [] if t.shape is None else plain(t.shape),
            "signature": None if t.shapeSignature is None else plain(t.shapeSignature),
            "variable": bool(t.isVariable),
            "bytes": 0 if data is None else len(data),
            "first": None if values is None else plain(values),
            "quantization": [plain(q.scale), plain(q.zeroPoint), q.quantizedDimension] if scaled else None,
        }

    return {
        "subgraphs": [graph.name.decode() for graph in model.subgraphs],
        "tensors": [tensor(t) for t in main.tensors],
        "nodes": [
            {
                "op": codes[op.opcodeIndex],
                "inputs": [] if op.inputs is None else plain(op.inputs),
                "outputs": [] if op.outputs is None else plain(op.outputs),
                "attributes": attributes(op.builtinOptions),
            }
            for op in main.operators
        ],
        "inputs": plain(main.inputs),
        "outputs": plain(main.outputs),
        "signatures": [
            {
                "key": plain(s.signatureKey),
                "inputs": {plain(m.name): m.tensorIndex for m in s.inputs},
                "outputs": {plain(m.name): m.tensorIndex for m in s.outputs},
            }
            for s in model.signatureDefs or []
        ],
    }


def write(name, content):
    """NAME.tflite, and what it says as NAME.tflite.json."""
    path = os.path.join(FOLDER, name + ".tflite")
    with open(path, "wb") as file:
        file.write(content)
    with open(path + ".json", "w") as file:
        json.dump(describe(content), file)
        file.write("\n")
    print(f"{name}.tflite: {len(content)} bytes")


def main():
    net = convolutional()
    streaming, branching, foreign = Streaming(), Branching(), Foreign()
    listening = Listening()
    files = {
        "conv-float": from_keras(net),
        "conv-float16": from_keras(net, optimize=True, types=[tf.float16]),
        "conv-int8": from_keras(net, optimize=True, data=samples((1, 12, 10, 3))),
        "shaped-float": from_keras(shaped()),
        "loop-float": from_keras(recurrent()),
        "states": by_hand(),
        "stream-float": from_module(streaming, streaming.step),
        "stream-int8": from_module(listening, listening.step, data=samples((1, 2, 8))),
        "branch-float": from_module(branching, branching.choose),
        "custom-float": from_module(foreign, foreign.factor, custom=True),
        "sparse-float": sparse(),
    }
    for name, content in files.items():
        write(name, content)


if __name__ == "__main__":
    main()
