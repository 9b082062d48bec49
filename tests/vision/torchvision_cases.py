"""Calls whose results torchvision gave: asked by `make_torchvision_rows.py`, compared by tests."""

from __future__ import annotations

from typing import Any

import numpy as np

H, W = 11, 13
CORNERS = [[0, 0], [W - 1, 0], [W - 1, H - 1], [0, H - 1]]
MOVED = [[1, 2], [11, 0], [10, 9], [2, 10]]

#: (function of `transforms.functional`, arguments, keywords); a word "mode:…" is an interpolation.
FUNCTIONS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    *((name, (), {}) for name in ("hflip", "vflip", "invert", "autocontrast", "equalize")),
    *(
        (name, (factor,), {})
        for name in (
            "adjust_brightness",
            "adjust_contrast",
            "adjust_saturation",
            "adjust_sharpness",
        )
        for factor in (0.0, 0.6, 1.7)
    ),
    *(("adjust_hue", (factor,), {}) for factor in (-0.3, 0.1, 0.5)),
    ("adjust_gamma", (2.2, 1.5), {}),
    ("posterize", (3,), {}),
    ("solarize", (0.5,), {}),
    ("rgb_to_grayscale", (3,), {}),
    *(
        ("resize", (size, mode), {"antialias": antialias})
        for size in (6, [20, 9])
        for mode in ("mode:nearest", "mode:nearest-exact", "mode:bilinear", "mode:bicubic")
        for antialias in (True, False)
    ),
    *(("pad", ([1, 2, 3, 4],), {"padding_mode": m}) for m in ("edge", "reflect", "symmetric")),
    ("pad", ([-1, 2],), {"fill": 0.25}),
    ("crop", (-2, 5, 9, 12), {}),
    ("center_crop", ([7, 16],), {}),
    ("five_crop", (4,), {}),
    ("ten_crop", ((5, 3), True), {}),
    ("resized_crop", (2, 3, 7, 6, [5, 8], "mode:bicubic"), {}),
    *(
        ("rotate", (angle, mode, expand), {})
        for angle in (90, -33.0)
        for mode in ("mode:nearest", "mode:bilinear")
        for expand in (False, True)
    ),
    ("rotate", (20.0, "mode:bilinear", False, [3, 4], [0.1, 0.2, 0.3]), {}),
    *(
        ("affine", (30.0, [2, -1], 1.2, [10.0, 5.0], m), {})
        for m in ("mode:nearest", "mode:bilinear")
    ),
    ("affine", (-10, (1, 2), 0.7, 15.0, "mode:bilinear", [0.4], [0, 0]), {}),
    *(("perspective", (CORNERS, MOVED, m), {}) for m in ("mode:nearest", "mode:bilinear")),
    ("perspective", (CORNERS, MOVED, "mode:bilinear", [0.2]), {}),
    ("gaussian_blur", (5,), {}),
    ("gaussian_blur", ([3, 7], [0.8, 2.0]), {}),
]

#: (transform, arguments, keywords), drawn with PyTorch's numbers from a seed.
RANDOM: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("RandomHorizontalFlip", (), {}),
    ("RandomVerticalFlip", (), {}),
    ("RandomCrop", ((9, 8),), {"padding": 2, "padding_mode": "reflect"}),
    ("RandomResizedCrop", (8,), {}),
    ("ColorJitter", (0.4, 0.4, 0.4, 0.1), {}),
    ("RandomRotation", (30,), {}),
    ("RandomAffine", (30,), {"translate": (0.1, 0.2), "scale": (0.7, 1.2), "shear": 10}),
    ("RandomGrayscale", (0.5,), {}),
    ("RandomPerspective", (), {"p": 0.8}),
    ("RandomErasing", (), {"p": 0.9}),
    ("GaussianBlur", (5,), {}),
    ("ElasticTransform", (), {"alpha": 10.0, "sigma": 1.0}),
    ("RandomInvert", (), {}),
    ("RandomAdjustSharpness", (2,), {}),
    ("RandomAutocontrast", (), {}),
    ("AutoAugment", (), {}),
    ("RandAugment", (), {}),
    ("TrivialAugmentWide", (), {}),
]
SEEDS = (0, 1)


def picture() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A smooth picture with a little noise: (3, H, W)."""
    y, x = np.mgrid[0:H, 0:W]
    waves = [127 + 100 * np.sin(x / 3 + c) * np.cos(y / 2 - c) for c in range(3)]
    noise = np.random.default_rng(0).normal(0, 12, (3, H, W))
    return np.clip(np.stack(waves) + noise, 0, 255).astype(np.uint8)


def inputs() -> dict[str, Any]:
    """The picture as bytes and as floats."""
    pixels = picture()
    return {"bytes": pixels, "floats": (pixels / 255).astype(np.float32)}


def arguments(values: Any, mode: Any) -> Any:
    """The arguments with `mode` made of each word "mode:…"."""
    return tuple(
        mode(value[5:]) if isinstance(value, str) and value.startswith("mode:") else value
        for value in values
    )
