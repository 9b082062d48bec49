"""The UCI handwritten digits, inside the package: 1,797 grey images of 8 × 8 pixels, ten classes.

E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI Machine Learning Repository,
1998, https://doi.org/10.24432/C50P49, CC BY 4.0 (see LICENSE-UCI.txt in this folder). This is the
part that UCI calls its test set, in the order of scikit-learn's `load_digits`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chainrule.datasets.formats import Array, read_npz

#: The number of training images in the usual split: the first 80 % train, the other 360 test.
TRAIN = 1437


def load_digits(split: str = "all") -> tuple[Array, Array]:
    """The digits' images (n, 8, 8) and labels (n,), both uint8; pixels run from 0 to 16.

    `split` is "all" (1,797), "train" (the first 1,437) or "test" (the other 360). Needs no network
    and no other package.

    >>> from chainrule.datasets import load_digits
    >>> images, labels = load_digits()
    >>> images.shape, int(images.max()), labels[:10].tolist()
    ((1797, 8, 8), 16, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    parts = {"all": slice(None), "train": slice(TRAIN), "test": slice(TRAIN, None)}
    if split not in parts:
        raise ValueError(f"split is {split!r}; expected 'all', 'train' or 'test'")
    arrays = read_npz(Path(__file__).with_name("digits.npz"), ("images", "labels"))
    part = parts[split]
    return np.ascontiguousarray(arrays["images"][part]), arrays["labels"][part].copy()
