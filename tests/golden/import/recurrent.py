"""Small nets with LSTMs and GRUs, and what LiteRT and onnxruntime make of sequences: recurrent-outputs.json, with the inputs.

    pip install tensorflow-cpu==2.21.0 tf_keras==2.21.0 ai-edge-litert==2.3.0 onnx==1.23.2 onnxruntime==1.32.0
    python tests/golden/import/recurrent.py      behind export_onnx.py, whose onnx-shapes.json it completes

Keras 3 makes loops of LSTMs, which Keras 2 does not. The ONNX nets are as PyTorch exports them: the batch first, transposed before and behind each layer.
"""
import json
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_USE_LEGACY_KERAS"] = "1"
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf_keras as keras
from ai_edge_litert.interpreter import Interpreter
from export_onnx import at, shapes_of, write_json
from export_tflite import describe
from onnx import TensorProto, helper, numpy_helper

SAMPLES = 8
rng = np.random.default_rng(3)
tf.random.set_seed(3)
layers = keras.layers


def lstm_tflite():
    """Every step of the first layer goes through a dense layer to the second, whose steps are read whole."""
    x = inputs = keras.Input((6, 5), batch_size=1, name="frames")
    x = layers.LSTM(8, return_sequences=True, bias_initializer="random_normal")(x)
    x = layers.Dense(4, activation="relu")(x)
    x = layers.LSTM(6, return_sequences=True)(x)
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(3)(x))


def last_tflite():
    """Of one LSTM only the last step is read; with Optimize.DEFAULT its weights are int8."""
    x = inputs = keras.Input((4, 32), batch_size=1, name="frames")
    return keras.Model(inputs, layers.Dense(3)(layers.LSTM(32)(x)))


def save_tflite(name, model, optimize=False):
    call = tf.function(lambda x: model(x)).get_concrete_function(tf.TensorSpec(model.input_shape, tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([call], model)
    if optimize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    content = converter.convert()
    with open(at(name), "wb") as file:
        file.write(content)
    with open(at(name + ".json"), "w") as file:
        json.dump(describe(content), file)
        file.write("\n")


def run_tflite(name):
    it = Interpreter(model_path=at(name))
    it.allocate_tensors()
    given, out = it.get_input_details()[0], it.get_output_details()[0]
    print(name, [op["op_name"] for op in it._get_ops_details()])
    for x in sequences(given["shape"]):
        it.reset_all_variables()  # else a sequence begins with what the last one has left
        it.set_tensor(given["index"], x)
        it.invoke()
        yield x, it.get_tensor(out["index"])


def sequences(shape):
    """Slow waves with noise."""
    steps = np.arange(shape[1]).reshape(1, -1, 1)
    for _ in range(SAMPLES):
        phase, speed = rng.uniform(0, 6, size=shape[2]), rng.uniform(0.2, 1.5, size=shape[2])
        yield (np.sin(phase + speed * steps) + rng.normal(0, 0.3, size=shape)).astype(np.float32)


def weights(name, *shape):
    return numpy_helper.from_array(rng.normal(0, 1.2 / np.sqrt(shape[-1]), size=shape).astype(np.float32), name)


def ints(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def recurrent(op, at, x, features, hidden, **attributes):
    """A layer with its weights. @returns the node's nodes and initializers, with outputs y{at}, h{at}"""
    gates = 4 if op == "LSTM" else 3
    made = [
        weights(f"w{at}", 1, gates * hidden, features),
        weights(f"r{at}", 1, gates * hidden, hidden),
        weights(f"b{at}", 1, 2 * gates * hidden),
    ]
    outputs = [f"y{at}", f"h{at}"] + ([f"c{at}"] if op == "LSTM" else [])
    inputs = [x, f"w{at}", f"r{at}", f"b{at}"]
    return helper.make_node(op, inputs, outputs, name=f"{op.lower()}{at}", hidden_size=hidden, **attributes), made


def save_onnx(name, nodes, made, shape, classes):
    graph = helper.make_graph(
        nodes,
        "recurrent",
        [helper.make_tensor_value_info("frames", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, classes])],
        made,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, at(name))
    with open(at("onnx-shapes.json")) as file:
        shapes = json.load(file)
    write_json("onnx-shapes.json", {**shapes, name.removesuffix(".onnx"): shapes_of(model)})


def lstm_onnx():
    """Two layers, as torch.nn.LSTM(5, 8, 2, batch_first=True) is exported, of which the last step is read by Gather."""
    node = helper.make_node
    first, a = recurrent("LSTM", 0, "turned", 5, 8)
    second, b = recurrent("LSTM", 1, "squeezed0", 8, 8)
    nodes = [
        node("Transpose", ["frames"], ["turned"], name="turn", perm=[1, 0, 2]),
        first,
        node("Squeeze", ["y0", "one"], ["squeezed0"], name="squeeze0"),
        second,
        node("Squeeze", ["y1", "one"], ["squeezed1"], name="squeeze1"),
        node("Transpose", ["squeezed1"], ["back"], name="back", perm=[1, 0, 2]),
        node("Gather", ["back", "last"], ["step"], name="last", axis=1),
        node("Gemm", ["step", "w", "b"], ["out"], name="fc", transB=1),
    ]
    last = numpy_helper.from_array(np.array(-1, np.int64), "last")
    save_onnx("lstm.onnx", nodes, [*a, *b, ints("one", 1), last, weights("w", 3, 8), weights("b", 3)], [1, 6, 5], 3)


def gru_onnx():
    """Reset gates behind the recurrent weights, whose steps are read whole; and before them, whose last step is."""
    node = helper.make_node
    first, a = recurrent("GRU", 0, "turned", 5, 6, linear_before_reset=1)
    second, b = recurrent("GRU", 1, "squeezed", 6, 4)
    nodes = [
        node("Transpose", ["frames"], ["turned"], name="turn", perm=[1, 0, 2]),
        first,
        node("Squeeze", ["y0", "one"], ["squeezed"], name="squeeze"),
        second,
        node("Transpose", ["squeezed"], ["back"], name="back", perm=[1, 0, 2]),
        node("Flatten", ["back"], ["flat"], name="flatten"),
        node("Gemm", ["flat", "w", "b"], ["all"], name="fc", transB=1),
        node("Squeeze", ["h1", "zero"], ["hidden"], name="hidden"),
        node("Gemm", ["hidden", "w2", "b2"], ["one step"], name="fc2", transB=1),
        node("Add", ["all", "one step"], ["out"], name="sum"),
    ]
    dense = [weights("w", 3, 36), weights("b", 3), weights("w2", 3, 4), weights("b2", 3)]
    save_onnx("gru.onnx", nodes, [*a, *b, ints("one", 1), ints("zero", 0), *dense], [1, 6, 5], 3)


def run_onnx(name):
    session = onnxruntime.InferenceSession(at(name))
    given = session.get_inputs()[0]
    for x in sequences(given.shape):
        yield x, session.run(None, {given.name: x})[0]


def rounded(values):
    return [float(f"{v:.7g}") for v in values.ravel()]


if __name__ == "__main__":
    save_tflite("lstm-float.tflite", lstm_tflite())
    save_tflite("lstm-last.tflite", last_tflite(), optimize=True)
    lstm_onnx()
    gru_onnx()
    nets = {}
    for name in ["lstm-float.tflite", "lstm-last.tflite", "lstm.onnx", "gru.onnx"]:
        run = run_tflite if name.endswith(".tflite") else run_onnx
        nets[name] = [{"input": rounded(x), "output": rounded(y)} for x, y in run(name)]
    with open(at("recurrent-outputs.json"), "w") as file:
        json.dump(nets, file, separators=(",", ":"))
        file.write("\n")
