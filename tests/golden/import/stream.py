"""What LiteRT makes of the golden net of a stream, step by step from the first one on: stream-outputs.json, with the inputs.

    pip install ai-edge-litert==2.3.0 && python tests/golden/import/stream.py
"""
import json
import os

import numpy as np
from ai_edge_litert.interpreter import Interpreter

FOLDER = os.path.dirname(os.path.abspath(__file__))
STEPS = 120
rng = np.random.default_rng(7)


def frames(shape, steps=STEPS):
    """Any int8, then bursts over a floor, as spectrograms have them."""
    random = rng.integers(-128, 128, size=(steps // 2, *shape))
    time = np.arange(steps // 2 * shape[0]).reshape(-1, shape[0], 1)
    loud = 200 * np.clip(np.sin(time / 9), 0, 1) * np.cos(np.arange(shape[1]) / 5 + time / 20) ** 2
    bursts = np.clip(loud - 120 + rng.normal(0, 8, size=loud.shape), -128, 127)
    return np.concatenate([random, bursts]).astype(np.int8)


if __name__ == "__main__":
    it = Interpreter(model_path=os.path.join(FOLDER, "stream-int8.tflite"))
    it.allocate_tensors()
    given, out = it.get_input_details()[0], it.get_output_details()[0]
    runs = []
    for x in frames(given["shape"][1:]):
        it.set_tensor(given["index"], x[None])
        it.invoke()
        runs.append({"input": x.ravel().tolist(), "output": it.get_tensor(out["index"]).ravel().tolist()})
    with open(os.path.join(FOLDER, "stream-outputs.json"), "w") as file:
        json.dump(runs, file, separators=(",", ":"))
        file.write("\n")
