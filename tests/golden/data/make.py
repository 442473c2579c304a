"""Arrays as NumPy itself writes them: python tests/golden/data/make.py"""
import os

import numpy as np

folder = os.path.dirname(os.path.abspath(__file__))
pixels = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
np.savez_compressed(
    os.path.join(folder, "parts.npz"),
    x_train=pixels[:, :, ::-1],
    y_train=np.array([1, 0]),
    x_test=pixels,
    y_test=np.array([[0], [3]], np.uint8),
)
np.savez(os.path.join(folder, "stored.npz"), pixels.astype(np.float16) / 8, np.array([2, 1], np.int64))
np.save(os.path.join(folder, "fortran.npy"), np.asfortranarray((pixels - 12.0).astype(">f8")))
