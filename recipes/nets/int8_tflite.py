"""What TensorFlow Lite's own full integer quantization makes of the ONNX nets of this folder: bytes and errors, in int8-tflite.json.

    pip install tensorflow-cpu onnx
    python recipes/nets/int8_tflite.py [resnet] [dscnn] [inverted]

Each net is built in Keras with the weights of its file, in TensorFlow's layout, and converted with 500 pictures to calibrate: inputs,
outputs, weights (one scale a filter) and activations are int8. Keras has no padding of 1 at a stride of 2: a layer of its own adds it.
"""
import gzip
import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import onnx
import tensorflow as tf
from onnx import numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = "/usr/share/datasets/fashion-mnist"
CALIBRATION = 500
layers = tf.keras.layers


def pictures(prefix):
    with gzip.open(f"{DATA}/{prefix}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28, 1)
    with gzip.open(f"{DATA}/{prefix}-labels-idx1-ubyte.gz") as file:
        return images / np.float32(255), np.frombuffer(file.read(), np.uint8, offset=8)


def convolution(x, attributes, weight, bias):
    kernel, stride = attributes["kernel_shape"][0], attributes["strides"][0]
    if stride > 1 and attributes["pads"][0] > 0:
        x = layers.ZeroPadding2D(attributes["pads"][0])(x)
    options = {"strides": stride, "padding": "same" if stride == 1 else "valid"}
    if attributes["group"] == 1:
        layer = layers.Conv2D(len(weight), kernel, **options)
        kernels = weight.transpose(2, 3, 1, 0)
    else:
        layer = layers.DepthwiseConv2D(kernel, **options)
        kernels = weight.transpose(2, 3, 0, 1)
    x = layer(x)
    layer.set_weights([kernels, bias])
    return x


def keras_net(path):
    """As many ops as the files have."""
    graph = onnx.load(path).graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    image = layers.Input((28, 28, 1), batch_size=1)
    values["image"] = image
    for node in graph.node:
        inputs = [values[name] for name in node.input]
        attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        if node.op_type == "Constant":
            result = numpy_helper.to_array(attributes["value"])
        elif node.op_type == "Identity":
            result = inputs[0]
        elif node.op_type == "Conv":
            result = convolution(inputs[0], attributes, *inputs[1:])
        elif node.op_type == "Relu":
            result = layers.ReLU()(inputs[0])
        elif node.op_type == "Clip" and inputs[1] == 0 and inputs[2] == 6:
            result = layers.ReLU(6.0)(inputs[0])
        elif node.op_type == "Add":
            result = layers.Add()(inputs)
        elif node.op_type == "GlobalAveragePool":
            result = layers.GlobalAveragePooling2D()(inputs[0])
        elif node.op_type == "Flatten":
            result = inputs[0]
        elif node.op_type == "Gemm":
            layer = layers.Dense(len(inputs[1]))
            result = layer(inputs[0])
            layer.set_weights([inputs[1].T, inputs[2]])
        else:
            sys.exit(f"{path}: {node.name}: no layer is known for {node.op_type}")
        values[node.output[0]] = result
    return tf.keras.Model(image, values["scores"])


def int8_file(net, images):
    converter = tf.lite.TFLiteConverter.from_keras_model(net)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([images[i : i + 1]] for i in range(CALIBRATION))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return converter.convert()


def int8_error(file, images, labels):
    """In percent."""
    interpreter = tf.lite.Interpreter(model_content=file)
    interpreter.allocate_tensors()
    [before], [after] = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero = before["quantization"]
    wrong = 0
    for image, label in zip(np.clip(np.round(images / scale) + zero, -128, 127).astype(np.int8), labels):
        interpreter.set_tensor(before["index"], image[None])
        interpreter.invoke()
        wrong += interpreter.get_tensor(after["index"])[0].argmax() != label
    return 100 * wrong / len(labels)


def main(names):
    images, _ = pictures("train")
    test, labels = pictures("t10k")
    path = os.path.join(HERE, "int8-tflite.json")
    results = json.load(open(path)) if os.path.exists(path) else {}
    for name in names or ["resnet", "dscnn", "inverted"]:
        net = keras_net(os.path.join(HERE, f"{name}.onnx"))
        scores = np.concatenate([net(test[i : i + 500], training=False).numpy() for i in range(0, len(test), 500)])
        file = int8_file(net, images)
        results[name] = {
            "bytes": len(file),
            "floatError": round(float(100 * (scores.argmax(1) != labels).mean()), 2),
            "error": round(float(int8_error(file, test, labels)), 2),
        }
        print(name, results[name], flush=True)
        with open(path, "w") as out:
            json.dump(results, out, indent=2)
            out.write("\n")


main(sys.argv[1:])
