"""Writes the small Caffe nets of this folder and what OpenCV makes of them: caffe-outputs.json, with the inputs.

    pip install opencv-python-headless grpcio-tools numpy
    python -m grpc_tools.protoc -I FOLDER_OF_CAFFE_PROTO --python_out=. caffe.proto
    PYTHONPATH=. python tests/golden/import/export_caffe.py

caffe.proto is that of BVLC/caffe, src/caffe/proto. Each net is NAME.caffemodel, in the newer form or that of before 2014 (caffe-v1), as
Caffe's solver would have saved it, with NAME.prototxt to deploy it; caffe-alone has none. deep-compression.net has weights as those of the
SqueezeNet of Deep Compression are stored: counts, then by layer codebook, biases, codes and distances.
"""
import json
import os
import tempfile

import cv2
import numpy as np
from google.protobuf import text_format

import caffe_pb2 as pb

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLES = 2
rng = np.random.default_rng(11)

BLOCKS = """
name: "blocks"
# Layers in place, branches, and all that folds away.
layer { name: "data" type: "Input" top: "data" input_param { shape: { dim: 1 dim: 3 dim: 13 dim: 11 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 8 kernel_size: 3 pad: 1 stride: 2 bias_term: false } }
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" batch_norm_param { use_global_stats: true eps: 0.001 } }
layer { name: "scale1" type: "Scale" bottom: "conv1" top: "conv1" scale_param { bias_term: true } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "split" type: "Split" bottom: "pool1" top: "a" top: "b" }
layer { name: "depthwise" type: "Convolution" bottom: "a" top: "depthwise"
        convolution_param { num_output: 8 group: 8 kernel_h: 3 kernel_w: 1 pad_h: 1 pad_w: 0 stride: 1 } }
layer { name: "dilated" type: "Convolution" bottom: "b" top: "dilated"
        convolution_param { num_output: 8 kernel_size: 3 pad: 2 dilation: 2 } }
layer { name: "leaky" type: "ReLU" bottom: "dilated" top: "dilated" relu_param { negative_slope: 0.125 } }
layer { name: "sum" type: "Eltwise" bottom: "depthwise" bottom: "dilated" top: "sum"
        eltwise_param { operation: SUM coeff: 1 coeff: -0.5 } }
layer { name: "elu" type: "ELU" bottom: "sum" top: "elu" elu_param { alpha: 0.5 } }
layer { name: "sigmoid" type: "Sigmoid" bottom: "depthwise" top: "sigmoid" }
layer { name: "product" type: "Eltwise" bottom: "elu" bottom: "sigmoid" top: "product" eltwise_param { operation: PROD } }
layer { name: "tanh" type: "TanH" bottom: "dilated" top: "tanh" }
layer { name: "concat" type: "Concat" bottom: "product" bottom: "tanh" top: "concat" concat_param { axis: 1 } }
layer { name: "power" type: "Power" bottom: "concat" top: "power" power_param { scale: 0.5 shift: 0.25 } }
layer { name: "drop" type: "Dropout" bottom: "power" top: "power" dropout_param { dropout_ratio: 0.5 } }
layer { name: "prelu" type: "PReLU" bottom: "power" top: "prelu" prelu_param { channel_shared: true } }
layer { name: "mean" type: "Pooling" bottom: "prelu" top: "mean" pooling_param { pool: AVE kernel_size: 3 stride: 1 pad: 1 } }
layer { name: "squeeze" type: "Pooling" bottom: "mean" top: "squeeze" pooling_param { pool: AVE global_pooling: true } }
layer { name: "expand" type: "Convolution" bottom: "squeeze" top: "expand" convolution_param { num_output: 16 kernel_size: 1 } }
layer { name: "gate" type: "Sigmoid" bottom: "expand" top: "expand" }
layer { name: "flat" type: "Flatten" bottom: "expand" top: "flat" }
layer { name: "rows" type: "Reshape" bottom: "flat" top: "rows" reshape_param { shape { dim: 0 dim: 16 dim: 1 dim: 1 } } }
layer { name: "fc" type: "InnerProduct" bottom: "mean" top: "fc" inner_product_param { num_output: 10 } }
layer { name: "fc2" type: "InnerProduct" bottom: "rows" top: "fc2" inner_product_param { num_output: 10 bias_term: false } }
layer { name: "logits" type: "Eltwise" bottom: "fc" bottom: "fc2" top: "logits" }
layer { name: "prob" type: "Softmax" bottom: "logits" top: "prob" }
"""

# Of the form of before 2014, with its sizes of inputs, a training layer, and Caffe's windows that reach beyond the end.
V1 = """
name: 'v1'
input: "data"
input_dim: 10 input_dim: 1 input_dim: 12 input_dim: 12
layers { name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1" blobs_lr: 1 blobs_lr: 2
         convolution_param { num_output: 6 kernel_size: 5 weight_filler { type: "xavier" } bias_filler { type: "constant" } } }
layers { name: "relu1" type: RELU bottom: "conv1" top: "conv1" }
layers { name: "pool1" type: POOLING bottom: "conv1" top: "pool1" pooling_param < pool: MAX kernel_size: 3 stride: 2 > }
layers { name: "ip1" type: INNER_PRODUCT bottom: "pool1" top: "ip1"; inner_product_param { num_output: 12 }, }
layers { name: "relu2" type: RELU bottom: "ip1" top: "ip1" }
layers { name: "ip2" type: INNER_PRODUCT bottom: "ip1" top: "ip2" inner_product_param { num_output: 4 } }
layers { name: "loss" type: SOFTMAX_LOSS bottom: "ip2" bottom: "label" include: { phase: TRAIN } }
layers { name: "prob" type: SOFTMAX bottom: "ip2" top: "prob" }
"""


def floats(*shape, low=None):
    values = rng.normal(size=shape) * 0.5
    return (values if low is None else np.abs(values) + low).astype(np.float32)


def fill(blob, values, legacy=False, double=False):
    """Sizes as they were given before 2014, or as they are today."""
    if legacy:
        sizes = [1] * (4 - values.ndim) + list(values.shape)
        blob.num, blob.channels, blob.height, blob.width = sizes
    else:
        blob.shape.dim.extend(values.shape)
    (blob.double_data if double else blob.data).extend(values.ravel().tolist())


def write(name, text, blobs, legacy=False, keep_text=True, data=None):
    """The text form deploys; the binary one is as a solver saves it: blobs in layers, and the layer that gave the samples."""
    net = text_format.Parse(text, pb.NetParameter())
    trained = pb.NetParameter()
    trained.CopyFrom(net)
    layers = trained.layers if legacy else trained.layer
    for layer in layers:
        for values in blobs.get(layer.name, []):
            fill(layer.blobs.add(), values, legacy)
    if data is not None:
        del trained.layer[0]
        first = pb.LayerParameter(name="train", type="Data", top=["data", "label"], include=[pb.NetStateRule(phase=pb.TRAIN)])
        trained.layer.insert(0, first)
        trained.layer.append(pb.LayerParameter(name="loss", type="SoftmaxWithLoss", bottom=["fc", "label"], top=["loss"]))
    with open(os.path.join(HERE, f"{name}.caffemodel"), "wb") as file:
        file.write(trained.SerializeToString())
    if keep_text:
        with open(os.path.join(HERE, f"{name}.prototxt"), "w") as file:
            file.write(text.lstrip())


def run(text, model, shape, output):
    """What OpenCV gives for some inputs. It keeps layers of the training, which are not written to be kept."""
    with open(text, "rb") as file:
        net = text_format.Parse(file.read(), pb.NetParameter())
    for layers in (net.layer, net.layers):
        kept = [layer for layer in layers if not any(rule.phase == pb.TRAIN for rule in layer.include)]
        del layers[:]
        layers.extend(kept)
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as file:
        file.write(text_format.MessageToString(net))
        file.flush()
        net = cv2.dnn.readNetFromCaffe(file.name, model)
    runs = []
    for _ in range(SAMPLES):
        x = rng.normal(size=shape).astype(np.float32)
        net.setInput(x)
        y = net.forward(output)
        runs.append({"input": rounded(x), "output": rounded(y)})
    return runs


def rounded(values):
    return [float(f"{v:.7g}") for v in values.ravel().tolist()]


ALONE = """
layer { name: "data" type: "Input" top: "data" input_param { shape: { dim: 1 dim: 2 dim: 6 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc" inner_product_param { num_output: 3 transpose: true } }
"""

SPARSE = """
input: "data"
input_shape { dim: 1 dim: 2 dim: 9 dim: 9 }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 6 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc" inner_product_param { num_output: 5 } }
"""


def shared(shape, bits, density):
    """Few weights, of few values: the first value of a codebook is 0."""
    codebook = np.concatenate([[0], rng.normal(size=2**bits - 1)]).astype(np.float32)
    codes = rng.integers(1, 2**bits, size=shape) * (rng.random(size=shape) < density)
    return codebook, codes


def nibbles(values):
    pairs = np.array([*values, *[0] * (len(values) % 2)], np.uint8).reshape(-1, 2)
    return (pairs[:, 0] | pairs[:, 1] << 4).tobytes()


def write_sparse(name, layers):
    """@param layers (codebook, codes, biases, bits) of each"""
    parts = []
    counts = []
    for codebook, codes, biases, bits in layers:
        kept, distances, zeros = [], [], 0
        for code in codes.ravel():
            if code != 0 or zeros == 15:
                kept.append(code)
                distances.append(zeros)
                zeros = 0
            else:
                zeros += 1
        counts.append(len(kept))
        packed = np.array(kept, np.uint8).tobytes() if bits == 8 else nibbles(kept)
        parts += [codebook.tobytes(), biases.tobytes(), packed, nibbles(distances)]
    with open(os.path.join(HERE, f"{name}.net"), "wb") as file:
        file.write(b"".join([np.array(counts, np.uint32).tobytes(), *parts]))


if __name__ == "__main__":
    blocks = {
        "conv1": [floats(8, 3, 3, 3)],
        "bn1": [floats(8) * 2, floats(8, low=0.5) * 2, np.array([2], np.float32)],
        "scale1": [floats(8, low=0.5), floats(8)],
        "depthwise": [floats(8, 1, 3, 1), floats(8)],
        "dilated": [floats(8, 8, 3, 3), floats(8)],
        "prelu": [np.array([0.25], np.float32)],
        "expand": [floats(16, 16, 1, 1), floats(16)],
        "fc": [floats(10, 16 * 4 * 3), floats(10)],
        "fc2": [floats(10, 16)],
    }
    write("caffe-blocks", BLOCKS, blocks)
    v1 = {
        "conv1": [floats(6, 1, 5, 5), floats(6)],
        "ip1": [floats(12, 6 * 4 * 4), floats(12)],
        "ip2": [floats(4, 12), floats(4)],
    }
    write("caffe-v1", V1, v1, legacy=True)
    weights = floats(3, 4 * 4 * 4)
    alone = {"conv": [floats(4, 2, 3, 3), floats(4)], "fc": [weights, floats(3)]}
    # OpenCV knows no transposed weights: it gets them turned.
    write("caffe-alone", ALONE.replace("transpose: true", ""), alone)
    paths = {n: [os.path.join(HERE, f"{n}.{e}") for e in ("prototxt", "caffemodel")] for n in ("caffe-blocks", "caffe-v1", "caffe-alone")}
    outputs = {
        "caffe-blocks.caffemodel": run(*paths["caffe-blocks"], [1, 3, 13, 11], "prob"),
        "caffe-v1.caffemodel": run(*paths["caffe-v1"], [1, 1, 12, 12], "prob"),
        "caffe-alone.caffemodel": run(*paths["caffe-alone"], [1, 2, 6, 6], "fc"),
    }
    (book1, conv), (book2, fc) = shared((6, 2, 3, 3), 8, 0.3), shared((5, 6 * 7 * 7), 4, 0.05)
    biases = [floats(6), floats(5)]
    write_sparse("deep-compression", [(book1, conv, biases[0], 8), (book2, fc, biases[1], 4)])
    write("deep-compression", SPARSE, {"conv": [book1[conv], biases[0]], "fc": [book2[fc], biases[1]]})
    model = os.path.join(HERE, "deep-compression.caffemodel")
    outputs["deep-compression.net"] = run(model.replace(".caffemodel", ".prototxt"), model, [1, 2, 9, 9], "fc")
    os.remove(model)
    os.remove(paths["caffe-alone"][0])
    alone["fc"][0] = weights.T.copy()
    write("caffe-alone", ALONE, alone, keep_text=False, data=True)
    with open(os.path.join(HERE, "caffe-outputs.json"), "w") as file:
        json.dump(outputs, file, separators=(",", ":"))
        file.write("\n")
