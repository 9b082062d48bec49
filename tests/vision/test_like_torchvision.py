"""Tensors are transformed as by torchvision, and with PyTorch's numbers the same way by chance.

What is expected was written by `make_torchvision_rows.py`.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from torchvision_cases import FUNCTIONS, RANDOM, arguments, inputs, picture

from chainrule import config
from chainrule.runtime.random import manual_seed
from chainrule.tensor import Tensor
from chainrule.tensor.creation import from_numpy
from chainrule.vision import transforms as T
from chainrule.vision.transforms import functional as F
from chainrule.vision.transforms import v2

Array = np.ndarray[Any, np.dtype[Any]]


def _rows() -> dict[str, Array]:
    """What torchvision gave, by name."""
    with np.load(pathlib.Path(__file__).parent / "torchvision_rows.npz") as file:
        flat = {"bytes": file["bytes"], "floats": file["floats"]}
        listed = [str(name).split(" ") for name in file["names"]]
    at, found = {"bytes": 0, "floats": 0}, {}
    for name, *sizes in listed:
        kind, shape = name.split("/")[1], tuple(map(int, sizes))
        count = int(np.prod(shape))
        found[name] = flat[kind][at[kind] : at[kind] + count].reshape(shape)
        at[kind] += count
    return found


ROWS = _rows()


def _compare(name: str, found: Any) -> None:
    parts = found if isinstance(found, tuple) else (found,)
    for i, part in enumerate(parts):
        got, expected = part.detach().numpy(), ROWS[f"{name}/{i}"]
        assert got.dtype == expected.dtype and got.shape == expected.shape
        if got.dtype == np.uint8:
            off = np.abs(got.astype(int) - expected.astype(int))
            assert off.max() <= 2 and (off > 1).mean() < 0.01, name
        else:
            np.testing.assert_allclose(got, expected, atol=2e-5, err_msg=name)


CALLS = [
    (f"function/{kind}/{i}", kind, *row)
    for kind in ("bytes", "floats")
    for i, row in enumerate(FUNCTIONS)
    if f"function/{kind}/{i}/0" in ROWS
]


@pytest.mark.parametrize(("row", "kind", "name", "args", "kwargs"), CALLS)
def test_functions(row: str, kind: str, name: str, args: Any, kwargs: Any) -> None:
    given = arguments(args, F.InterpolationMode)
    _compare(row, getattr(F, name)(from_numpy(inputs()[kind]), *given, **kwargs))


@pytest.mark.parametrize(
    ("row", "kind", "name", "args", "kwargs"), [call for call in CALLS if call[1] == "floats"]
)
def test_functions_with_a_gradient(row: str, kind: str, name: str, args: Any, kwargs: Any) -> None:
    image = from_numpy(inputs()[kind]).requires_grad_()
    found = getattr(F, name)(image, *arguments(args, F.InterpolationMode), **kwargs)
    _compare(row, found)
    parts = found if isinstance(found, tuple) else (found,)
    sum(part.sum() for part in parts).backward()
    assert image.grad is not None and np.isfinite(image.grad.numpy()).all()


@pytest.fixture
def pytorchs_numbers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(config, "random", "mt19937")
    yield
    monkeypatch.undo()
    manual_seed(0)


@pytest.mark.usefixtures("pytorchs_numbers")
@pytest.mark.parametrize("number", range(len(RANDOM)), ids=[name for name, _, _ in RANDOM])
def test_the_same_seed_gives_the_same_image(number: int) -> None:
    name, args, kwargs = RANDOM[number]
    for row in [row for row in ROWS if row.startswith("random/") and row.endswith("/0")]:
        _, kind, which, seed, _ = row.split("/")
        if int(which) != number:
            continue
        for module in (T, v2):
            manual_seed(int(seed))
            found = getattr(module, name)(*args, **kwargs)(from_numpy(inputs()[kind]))
            _compare(row.rpartition("/")[0], found)


def test_a_gradient_is_that_of_the_formula() -> None:
    """In a random direction, by central differences in float64."""
    rng = np.random.default_rng(3)
    start = picture()[:, :7, :8] / 255 * 0.8 + 0.1
    direction = rng.normal(size=start.shape)
    calls: list[tuple[str, Any]] = [
        ("resize", ([5, 9],)),
        ("rotate", (25.0, F.InterpolationMode.BILINEAR)),
        ("pad", ([1, 2], 0, "reflect")),
        ("gaussian_blur", (3,)),
        ("adjust_contrast", (1.2,)),
        ("adjust_saturation", (0.7,)),
        ("normalize", ([0.5], [0.25])),
        ("crop", (-1, 2, 5, 8)),
    ]
    for name, args in calls:
        function = getattr(F, name)
        image = from_numpy(start.copy()).requires_grad_()
        found = function(image, *args)
        weights = from_numpy(rng.normal(size=tuple(found.shape)))

        def value(shift: float, f: Any = function, a: Any = args, w: Tensor = weights) -> float:
            return float((f(from_numpy(start + shift * direction), *a) * w).sum())

        (found * weights).sum().backward()
        assert image.grad is not None
        slope = float((image.grad.numpy() * direction).sum())
        assert slope == pytest.approx((value(1e-6) - value(-1e-6)) / 2e-6, rel=1e-3), name
