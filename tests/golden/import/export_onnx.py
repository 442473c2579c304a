"""Exports the small ONNX nets of this folder with PyTorch, onnx and onnxruntime's quantizer, and beside each one what
they say of it: shapes by onnx.shape_inference, elements by onnx.numpy_helper.

    pip install torch onnx onnxscript onnxruntime
    python tests/golden/import/export_onnx.py                    the nets of this folder
    python tests/golden/import/export_onnx.py --zoo FOLDER       zoo-shapes.json, of all .onnx files there
"""

import json
import os
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))


def at(name):
    return os.path.join(HERE, name)


def write_json(name, value):
    with open(at(name), "w") as file:
        json.dump(value, file, indent=1)
        file.write("\n")


def shapes_of(model):
    """Sizes of all tensors whose shape is wholly known, "1x3x224x224"; "" for a scalar. Quantizers leave some behind of tensors that are gone."""
    made = {name for node in model.graph.node for name in node.output} | {info.name for info in model.graph.input}
    graph = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True).graph
    shapes = {}
    for info in [*graph.input, *graph.value_info, *graph.output]:
        kind = info.type.tensor_type
        if not kind.HasField("shape") or info.name not in made:
            continue
        sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
        if None not in sizes:
            shapes[info.name] = "x".join(map(str, sizes))
    return shapes


def finish(name, model):
    """Without what an exporter says of itself and its source: the same bytes on every machine."""
    model.producer_version = ""
    model.doc_string = ""
    del model.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for entry in [*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer]:
        del entry.metadata_props[:]
    del model.graph.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, at(name + ".onnx"))
    print(name, os.path.getsize(at(name + ".onnx")), "bytes")
    return shapes_of(model)


def torch_nets():
    import torch
    from torch import nn

    class Digits(nn.Module):
        """Convolution, depthwise convolution, normalization, pools, dense layers."""

        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 4, 3, padding=1, bias=False)
            self.norm1 = nn.BatchNorm2d(4)
            self.conv2 = nn.Conv2d(4, 8, 3, stride=2, groups=4)
            self.fc = nn.Linear(8 * 6 * 6, 5)

        def forward(self, x):
            x = nn.functional.max_pool2d(torch.relu(self.norm1(self.conv1(x))), 2)
            x = nn.functional.relu6(self.conv2(x))
            return torch.softmax(self.fc(torch.flatten(x, 1)), 1)

    class Blocks(nn.Module):
        """A residual sum, a gate, a concatenation, activations, an enlargement, shapes worked out from the input's."""

        def __init__(self):
            super().__init__()
            self.a = nn.Conv2d(3, 4, 1)
            self.b = nn.Conv2d(4, 4, 3, padding=2, dilation=2)
            self.squeeze = nn.Conv2d(4, 4, 1)

        def forward(self, x):
            a = nn.functional.hardswish(self.a(x))
            b = nn.functional.silu(self.b(a)) + a
            gate = torch.sigmoid(self.squeeze(nn.functional.adaptive_avg_pool2d(b, 1)))
            c = torch.cat([b * gate, nn.functional.leaky_relu(a, 0.1)], 1)
            up = nn.functional.interpolate(c, scale_factor=2, mode="nearest")
            return up.view(up.size(0), up.size(1), -1).mean(2)

    def export(model, shape, **options):
        torch.manual_seed(1)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "net.onnx")
            torch.onnx.export(model.eval(), (torch.zeros(shape),), path, input_names=["image"], output_names=["scores"], **options)
            return onnx.load(path)

    shapes = {}
    torch.manual_seed(1)
    digits = Digits()
    model = export(digits, (1, 1, 28, 28), opset_version=13, dynamo=False, training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
    shapes["torch-digits"] = finish("torch-digits", model)
    torch.manual_seed(2)
    blocks = Blocks()
    model = export(blocks, (1, 3, 8, 12), opset_version=11, dynamo=False, dynamic_axes={"image": {0: "batch"}})
    shapes["torch-blocks"] = finish("torch-blocks", model)
    model = export(blocks, (1, 3, 8, 12), opset_version=18, dynamo=True)
    shapes["torch-dynamo"] = finish("torch-dynamo", model)
    return shapes


def quantized_nets():
    import onnxruntime.quantization as quantization

    class Samples(quantization.CalibrationDataReader):
        def __init__(self):
            generator = np.random.default_rng(1)
            self.samples = iter([{"image": generator.random((1, 1, 28, 28), np.float32)} for _ in range(4)])

        def get_next(self):
            return next(self.samples, None)

    shapes = {}
    for name, form in [("quantized-qdq", "QDQ"), ("quantized-qoperator", "QOperator")]:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "net.onnx")
            quantization.quantize_static(
                at("torch-digits.onnx"),
                path,
                Samples(),
                quant_format=getattr(quantization.QuantFormat, form),
                activation_type=quantization.QuantType.QInt8,
                weight_type=quantization.QuantType.QInt8,
                per_channel=True,
            )
            shapes[name] = finish(name, onnx.load(path))
    return shapes


def model_of(nodes, inputs, outputs, initializers, opset, domains=()):
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in outputs],
        initializers,
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8 if opset < 20 else 10)


FIELDS = {
    TensorProto.FLOAT: "float_data",
    TensorProto.DOUBLE: "double_data",
    TensorProto.INT64: "int64_data",
    TensorProto.UINT32: "uint64_data",
    TensorProto.UINT64: "uint64_data",
}
NUMBERS = {
    "FLOAT": [0, -0.5, 3.25, 1e-40, 3.4e38, -7],
    "DOUBLE": [0, -0.1, 1e300, 5e-324, 1, 2],
    "FLOAT16": [0, -0.5, 65504, 6e-8, 1.0009765625, -2],
    "BFLOAT16": [0, -0.5, 3e38, 1.0078125, 1, -2],
    "INT8": [-128, -1, 0, 1, 127, 5],
    "UINT8": [0, 1, 127, 128, 255, 5],
    "INT16": [-32768, -1, 0, 1, 32767, 5],
    "UINT16": [0, 1, 32767, 32768, 65535, 5],
    "INT32": [-(2**31), -1, 0, 1, 2**31 - 1, 5],
    "UINT32": [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 5],
    "INT64": [-(2**53), -1, 0, 2**32, 2**53, 5],
    "UINT64": [0, 1, 2**32, 2**53, 7, 5],
    "BOOL": [0, 1, 1, 0, 1, 0],
    "INT4": [-8, -1, 0, 1, 7, 5, 3],
    "UINT4": [0, 1, 7, 8, 15, 5, 3],
}


def element_types():
    """Each type by raw_data and by the field of its type, packed, and one float and one integer each that are not packed."""
    initializers = []
    for kind, numbers in NUMBERS.items():
        number = getattr(TensorProto, kind)
        plain = helper.make_tensor(f"{kind}-list", number, [len(numbers)], numbers)
        raw = numpy_helper.from_array(numpy_helper.to_array(plain), f"{kind}-raw")
        assert raw.HasField("raw_data") and not plain.HasField("raw_data")
        assert len(getattr(plain, FIELDS.get(number, "int32_data"))) > 0
        initializers += [plain, raw]
    for name, shape in [("scalar", []), ("empty", [0, 3])]:
        initializers.append(numpy_helper.from_array(np.full(shape, 2.5, np.float32), name))
    nodes = [helper.make_node("Identity", [tensor.name], [f"out {tensor.name}"]) for tensor in initializers]
    outputs = [(f"out {tensor.name}", tensor.data_type, list(tensor.dims)) for tensor in initializers]
    model = model_of(nodes, [("x", TensorProto.FLOAT, [1])], outputs, initializers, 21)
    shapes = finish("element-types", model)
    elements = {}
    for tensor in initializers:
        array = numpy_helper.to_array(tensor).astype(np.float64).ravel()
        elements[tensor.name] = [float(value) for value in array]
    return shapes, elements


def not_packed():
    """Lists whose numbers are fields of their own, as proto2 writers made them: float32 [2, 3] and int32 [3]."""
    data = [1.5, -2.25, 3, 4, 5, 6]
    tensor = b"\x08\x02\x08\x03\x10\x01" + b"".join(b"\x25" + np.float32(x).tobytes() for x in data) + b"\x42\x01w"
    whole = b"\x08\x03\x10\x06\x28\x07\x28" + b"\xff" * 9 + b"\x01\x28\x80\x01\x42\x01i"
    value = lambda name, kind, sizes: (
        lambda shape: b"\x0a\x01" + name + b"\x12" + bytes([len(shape) + 4]) + b"\x0a" + bytes([len(shape) + 2]) + b"\x08" + kind + shape
    )(b"\x12" + bytes([sum(4 for _ in sizes)]) + b"".join(b"\x0a\x02\x08" + bytes([size]) for size in sizes))
    field = lambda number, content: bytes([number * 8 + 2, len(content)]) + content
    node = field(1, b"x") + field(1, b"w") + field(2, b"y") + field(4, b"Add")
    keep = field(1, b"i") + field(2, b"j") + field(4, b"Identity")
    graph = field(1, node) + field(1, keep) + field(2, b"net") + field(5, tensor) + field(5, whole)
    graph += field(11, value(b"x", b"\x01", [2, 3])) + field(12, value(b"y", b"\x01", [2, 3])) + field(12, value(b"j", b"\x06", [3]))
    model = onnx.load_from_string(b"\x08\x07" + b"\x3a" + bytes([len(graph) % 128 + 128, len(graph) // 128]) + graph + field(8, b"\x10\x0d"))
    onnx.checker.check_model(model)
    assert numpy_helper.to_array(model.graph.initializer[0]).tolist() == [[1.5, -2.25, 3], [4, 5, 6]]
    assert numpy_helper.to_array(model.graph.initializer[1]).tolist() == [7, -1, 128]
    with open(at("not-packed.onnx"), "wb") as file:
        file.write(b"\x08\x07" + b"\x3a" + bytes([len(graph) % 128 + 128, len(graph) // 128]) + graph + field(8, b"\x10\x0d"))
    return shapes_of(model), {"w": data, "i": [7, -1, 128]}


def external():
    """Two tensors in a file beside the model, one of them at an offset."""
    weight = np.arange(24, dtype=np.float32).reshape(4, 6) / 8
    bias = np.array([1, -2, 3, -4], np.float32)
    model = model_of(
        [helper.make_node("Gemm", ["x", "weight", "bias"], ["y"], transB=1)],
        [("x", TensorProto.FLOAT, [1, 6])],
        [("y", TensorProto.FLOAT, [1, 4])],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")],
        17,
    )
    if os.path.exists(at("external.bin")):
        os.remove(at("external.bin"))
    onnx.save(model, at("external.onnx"), save_as_external_data=True, location="external.bin", size_threshold=0)
    print("external", os.path.getsize(at("external.onnx")), "bytes")
    return shapes_of(model), {"weight": weight.ravel().tolist(), "bias": bias.tolist()}


def old_net():
    """Opset 7 with weights among the inputs, scales and axes as attributes."""
    generator = np.random.default_rng(7)
    weight = numpy_helper.from_array(generator.normal(size=(4, 2, 3, 3)).astype(np.float32), "weight")
    norms = [numpy_helper.from_array(np.ones(4, np.float32), name) for name in ["gamma", "beta", "mean", "variance"]]
    sizes = numpy_helper.from_array(np.array([0, -1], np.int64), "sizes")
    f = TensorProto.FLOAT
    nodes = [
        helper.make_node("Conv", ["x", "weight"], ["c"], auto_pad="SAME_UPPER", strides=[2, 2], kernel_shape=[3, 3]),
        helper.make_node("BatchNormalization", ["c", "gamma", "beta", "mean", "variance"], ["n"], epsilon=1e-3),
        helper.make_node("Pad", ["n"], ["p"], pads=[0, 0, 1, 0, 0, 0, 0, 1]),
        helper.make_node("AveragePool", ["p"], ["a"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Upsample", ["a"], ["u"], scales=[1.0, 1.0, 2.0, 2.0], mode="nearest"),
        helper.make_node("Slice", ["u"], ["s"], starts=[0, 1], ends=[2, 2**31 - 1], axes=[2, 3]),
        helper.make_node("ReduceMean", ["s"], ["m"], axes=[2], keepdims=1),
        helper.make_node("Squeeze", ["m"], ["q"], axes=[2]),
        helper.make_node("Unsqueeze", ["q"], ["z"], axes=[0]),
        helper.make_node("Transpose", ["z"], ["t"], perm=[1, 3, 2, 0]),
        helper.make_node("Clip", ["t"], ["k"], min=0.0, max=6.0),
        helper.make_node("Dropout", ["k"], ["d"]),
        helper.make_node("Reshape", ["d", "sizes"], ["r"]),
        helper.make_node("Softmax", ["r"], ["y"]),
    ]
    model = model_of(
        nodes,
        [("x", f, [1, 2, 9, 8]), ("weight", f, [4, 2, 3, 3])],
        [("y", f, [1, 12])],
        [weight, *norms, sizes],
        7,
    )
    return finish("opset-7", model)


def new_net():
    """Opset 24: names of 2025, a symbolic batch, shapes by arithmetic on shapes."""
    generator = np.random.default_rng(24)
    f = TensorProto.FLOAT
    weight = numpy_helper.from_array(generator.normal(size=(4, 3, 1, 3)).astype(np.float16), "half")
    constants = [
        numpy_helper.from_array(np.array(value, np.int64), name)
        for name, value in [("first", [0]), ("two", [2]), ("four", [4]), ("rest", [-1]), ("axes", [2, 3])]
    ]
    nodes = [
        helper.make_node("Cast", ["half"], ["weight"], to=f),
        helper.make_node("Conv", ["x", "weight"], ["c"], pads=[0, 1, 0, 1], strides=[1, 2]),
        helper.make_node("Swish", ["c"], ["s"]),
        helper.make_node("Gelu", ["s"], ["g"], approximate="tanh"),
        helper.make_node("Shape", ["g"], ["whole"]),
        helper.make_node("Slice", ["whole", "first", "two"], ["head"]),
        helper.make_node("Slice", ["whole", "two", "four"], ["tail"]),
        helper.make_node("ReduceProd", ["tail"], ["area"], keepdims=1),
        helper.make_node("Concat", ["head", "area"], ["flat"], axis=0),
        helper.make_node("Reshape", ["g", "flat"], ["r"]),
        helper.make_node("ReduceMean", ["g", "axes"], ["m"], keepdims=0),
        helper.make_node("Split", ["m"], ["left", "right"], axis=1, num_outputs=2),
        helper.make_node("Mul", ["left", "right"], ["y"]),
        helper.make_node("GlobalMaxPool", ["g"], ["z"]),
    ]
    model = model_of(
        nodes,
        [("x", f, ["N", 3, 5, 7])],
        [("y", f, ["N", 2]), ("r", f, ["N", 4, 20]), ("z", f, ["N", 4, 1, 1])],
        [weight, *constants],
        24,
    )
    return finish("opset-24", model)


def refused_net():
    """Sound, but with all kinds of things that no device runs here."""
    generator = np.random.default_rng(3)
    f = TensorProto.FLOAT
    normal = lambda name, *shape: numpy_helper.from_array(generator.normal(size=shape).astype(np.float32), name)
    branch = lambda name: helper.make_graph(
        [helper.make_node("Identity", ["d"], [name])], name, [], [helper.make_tensor_value_info(name, f, [1, 4, 4, 4])]
    )
    nodes = [
        helper.make_node("ConvTranspose", ["x", "up"], ["c"], name="widen", strides=[2, 2]),
        helper.make_node("LRN", ["c"], ["n"], name="norm", size=3),
        helper.make_node("MaxPool", ["n"], ["m"], name="pool", kernel_shape=[2, 2], strides=[2, 2], dilations=[1, 2]),
        helper.make_node("Resize", ["m", "", "scales"], ["d"], name="smooth", mode="linear"),
        helper.make_node("ReduceMax", ["d"], ["top"], name="most", keepdims=0),
        helper.make_node("Greater", ["top", "zero"], ["is"], name="test"),
        helper.make_node("If", ["is"], ["i"], name="choose", then_branch=branch("then"), else_branch=branch("else")),
        helper.make_node("Special", ["i"], ["s"], name="own", domain="com.example", level=3),
        helper.make_node("Softmax", ["i"], ["a"], name="attention", axis=1),
        helper.make_node("MatMul", ["a", "i"], ["b"], name="product"),
        helper.make_node("Pad", ["b", "pads"], ["p"], name="mirror", mode="reflect"),
        helper.make_node("LSTM", ["sequence", "w", "r"], ["l"], name="memory", hidden_size=2, direction="reverse"),
    ]
    model = model_of(
        nodes,
        [("x", f, [1, 2, 4, 4]), ("sequence", f, [3, 1, 2])],
        [("s", f, [1, 4, 4, 4]), ("p", f, [1, 4, 6, 6]), ("l", f, [3, 1, 1, 2])],
        [
            normal("up", 2, 4, 2, 2),
            numpy_helper.from_array(np.array([1, 1, 1, 4 / 3], np.float32), "scales"),
            numpy_helper.from_array(np.float32(0), "zero"),
            numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64), "pads"),
            normal("w", 1, 8, 2),
            normal("r", 1, 8, 2),
        ],
        13,
        ["com.example"],
    )
    model.graph.value_info.append(helper.make_tensor_value_info("i", f, [1, 4, 4, 4]))
    return finish("refused", model)


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--zoo":
        folder = sys.argv[2]
        names = sorted(name for name in os.listdir(folder) if name.endswith(".onnx"))
        write_json("zoo-shapes.json", {name: shapes_of(onnx.load(os.path.join(folder, name))) for name in names})
        return
    types, elements = element_types()
    unpacked, unpacked_elements = not_packed()
    beside, beside_elements = external()
    shapes = {"element-types": types, "not-packed": unpacked, "external": beside}
    shapes.update({"opset-7": old_net(), "opset-24": new_net(), "refused": refused_net()})
    shapes.update(torch_nets())
    shapes.update(quantized_nets())
    write_json("onnx-shapes.json", shapes)
    values = {"element-types": elements, "not-packed": unpacked_elements, "external": beside_elements}
    write_json("onnx-elements.json", values)


if __name__ == "__main__":
    main()
