"""Writes a small PyTorch net of this folder as safetensors with its graph as JSON (docs/graph-json.md), and what PyTorch makes of it:
graph-outputs.json, with the inputs.

    pip install torch safetensors && python tests/golden/import/export_graph.py
"""
import json
import os

import torch
from safetensors.torch import save_file
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLES = 2
torch.manual_seed(5)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.pointwise = nn.Conv2d(8, 12, 1)
        self.fc1 = nn.Linear(12 * 3 * 3, 10)
        self.fc2 = nn.Linear(10, 5)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        y = torch.nn.functional.hardswish(self.depthwise(x))
        x = torch.relu(self.pointwise(x + y))
        x = torch.max_pool2d(x, 2)
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(x) * 0.5


def node(op, inputs, outputs, **attributes):
    return {"op": op, "inputs": inputs, "outputs": outputs, **({"attributes": attributes} if attributes else {})}


NODES = [
    node("Conv", ["image", "conv1.weight"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
    node("BatchNormalization", ["a", *(f"bn1.{name}" for name in ("weight", "bias", "running_mean", "running_var"))], ["b"]),
    node("Relu", ["b"], ["c"]),
    node("Conv", ["c", "depthwise.weight", "depthwise.bias"], ["d"], group=8, pads=[1, 1, 1, 1]),
    node("HardSwish", ["d"], ["e"]),
    node("Add", ["c", "e"], ["f"]),
    node("Conv", ["f", "pointwise.weight", "pointwise.bias"], ["g"]),
    node("Relu", ["g"], ["h"]),
    node("MaxPool", ["h"], ["i"], kernel_shape=[2, 2], strides=[2, 2]),
    node("Flatten", ["i"], ["j"]),
    # Linear weights are [outputs, inputs].
    node("DequantizeLinear", ["fc1.weight", "fc1.scale"], ["fc1.real"], axis=0),
    node("Gemm", ["j", "fc1.real", "fc1.bias"], ["k"], transB=1),
    node("Relu", ["k"], ["l"]),
    node("Gemm", ["l", "fc2.weight", "fc2.bias"], ["m"], transB=1),
    node("Constant", [], ["half"], value_float=0.5),
    {"name": "last", **node("Mul", ["m", "half"], ["logits"])},
]

if __name__ == "__main__":
    net = Net().eval()
    with torch.no_grad():
        net.bn1.running_mean.normal_()
        net.bn1.running_var.uniform_(0.5, 2)
        # Some in half the bytes, and of one layer integers with a scale for each row.
        net.depthwise.weight.copy_(net.depthwise.weight.half())
        net.pointwise.weight.copy_(net.pointwise.weight.bfloat16())
        scale = net.fc1.weight.abs().amax(1) / 127
        integers = (net.fc1.weight / scale[:, None]).round().to(torch.int8)
        net.fc1.weight.copy_(integers * scale[:, None])
    tensors = {
        **net.state_dict(),
        "depthwise.weight": net.depthwise.weight.half(),
        "pointwise.weight": net.pointwise.weight.bfloat16(),
        "fc1.weight": integers,
        "fc1.scale": scale,
    }
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, os.path.join(HERE, "graph.safetensors"))
    graph = {
        "format": "mote-graph",
        "version": 1,
        "inputs": [{"name": "image", "shape": ["N", 3, 12, 12]}],
        "outputs": ["logits"],
        "nodes": NODES,
    }
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in graph.items() if name != "nodes"]
    nodes = ",\n".join(f"  {json.dumps(node)}" for node in NODES)
    with open(os.path.join(HERE, "graph.json"), "w") as file:
        file.write("{\n" + ",\n".join(lines) + ',\n "nodes": [\n' + nodes + "\n ]\n}\n")
    runs = []
    for _ in range(SAMPLES):
        x = torch.randn(1, 3, 12, 12)
        with torch.no_grad():
            y = net(x)
        runs.append({key: [float(f"{v:.7g}") for v in values.flatten().tolist()] for key, values in (("input", x), ("output", y))})
    with open(os.path.join(HERE, "graph-outputs.json"), "w") as file:
        json.dump({"graph.safetensors": runs}, file, separators=(",", ":"))
        file.write("\n")
