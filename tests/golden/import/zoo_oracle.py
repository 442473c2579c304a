"""What LiteRT (XNNPACK) makes of MLPerf Tiny's int8 nets: FILE.x and FILE.y, int8, for `MOTE_ZOO_ORACLE=OUT mote bench --only zoo`.

    pip install ai-edge-litert==2.3.0 tflite && python tests/golden/import/zoo_oracle.py ZOO OUT [SAMPLES]

A softmax at the end is left to the host, so that its input is asked for: the file's output is made that tensor.
"""
import os
import sys

import numpy as np
import tflite
from ai_edge_litert.interpreter import Interpreter

SOFTMAX = 25
NETS = ["tiny-vww_int8.tflite", "tiny-kws_int8.tflite", "tiny-ad01_int8.tflite", "tiny-resnet_int8.tflite"]


def without_softmax(path):
    data = bytearray(open(path, "rb").read())
    model = tflite.Model.GetRootAsModel(data, 0)
    graph = model.Subgraphs(0)
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        code = model.OperatorCodes(operator.OpcodeIndex())
        if max(code.DeprecatedBuiltinCode(), code.BuiltinCode()) == SOFTMAX:
            graph.OutputsAsNumpy()[0] = operator.Inputs(0)
    return bytes(data)


def main(zoo, out, samples=200):
    os.makedirs(out, exist_ok=True)
    for name in NETS:
        interpreter = Interpreter(model_content=without_softmax(os.path.join(zoo, name)))
        interpreter.allocate_tensors()
        given, wanted = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        rng = np.random.default_rng(1)
        xs, ys = [], []
        for _ in range(int(samples)):
            x = rng.integers(-128, 128, size=given["shape"]).astype(np.int8)
            interpreter.set_tensor(given["index"], x)
            interpreter.invoke()
            xs.append(x.ravel())
            ys.append(interpreter.get_tensor(wanted["index"]).ravel())
        np.array(xs).tofile(os.path.join(out, f"{name}.x"))
        np.array(ys).astype(np.int8).tofile(os.path.join(out, f"{name}.y"))
        print(f"{name}: {samples} samples")


if __name__ == "__main__":
    main(*sys.argv[1:])
