"""What LiteRT and onnxruntime make of the golden nets that run here: outputs.json, with the inputs.

    pip install ai-edge-litert==2.3.0 onnxruntime==1.23.2 && python tests/golden/import/outputs.py

Of a quantized TFLite net the inputs are any int8, and of a softmax at the end its input is the output: it is left to the host.
"""
import json
import os

import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter

FOLDER = os.path.dirname(os.path.abspath(__file__))
SAMPLES = 2
rng = np.random.default_rng(7)


def tflite(name):
    it = Interpreter(model_path=os.path.join(FOLDER, name), experimental_preserve_all_tensors=True)
    it.allocate_tensors()
    given, out = it.get_input_details()[0], it.get_output_details()[0]
    ops = it._get_ops_details()
    last = next((op for op in ops if out["index"] in op["outputs"]), None)
    index = last["inputs"][0] if last and last["op_name"] == "SOFTMAX" else out["index"]
    runs = []
    for _ in range(SAMPLES):
        shape = [1 if size < 1 else size for size in given["shape"]]
        if given["dtype"] == np.float32:
            x = rng.normal(size=shape).astype(np.float32)
        else:
            x = rng.integers(-128, 128, size=shape).astype(given["dtype"])
        it.set_tensor(given["index"], x)
        it.invoke()
        runs.append({"input": x.ravel().tolist(), "output": it.get_tensor(index).ravel().tolist()})
    return runs


def onnx(name):
    session = onnxruntime.InferenceSession(os.path.join(FOLDER, name))
    given = session.get_inputs()[0]
    shape = [size if isinstance(size, int) else 1 for size in given.shape]
    runs = []
    for _ in range(SAMPLES):
        x = rng.normal(size=shape).astype(np.float32)
        (y, *_) = session.run(None, {given.name: x})
        runs.append({"input": x.ravel().tolist(), "output": y.ravel().tolist()})
    return runs


def rounded(values):
    return [v if isinstance(v, int) else float(f"{v:.7g}") for v in values]


if __name__ == "__main__":
    nets = {}
    for name in ["conv-int8.tflite", "conv-float.tflite", "conv-float16.tflite"]:
        nets[name] = tflite(name)
    for name in ["torch-digits.onnx", "torch-blocks.onnx", "torch-dynamo.onnx", "quantized-qdq.onnx"]:
        nets[name] = onnx(name)
    nets = {n: [{k: rounded(v) for k, v in run.items()} for run in runs] for n, runs in nets.items()}
    with open(os.path.join(FOLDER, "outputs.json"), "w") as file:
        json.dump(nets, file, separators=(",", ":"))
        file.write("\n")
