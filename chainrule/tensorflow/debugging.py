"""`tf.debugging`: errors where something is not as a program says."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import config as _settings
from chainrule.data.errors import InvalidArgumentError
from chainrule.names import later
from chainrule.tensorflow.convert import tensor


def _require(condition: Any, message: Any, what: str) -> None:
    x = tensor(condition)
    if not bool(np.all(x.detach()._concrete())):
        raise InvalidArgumentError(f"{message or ''} {what}".strip())


def Assert(condition: Any, data: Any, summarize: Any = None, name: str | None = None) -> None:
    """InvalidArgumentError with `data`, unless the condition holds."""
    _require(condition, "", f"assertion failed: {[str(d) for d in data]}")


def assert_equal(
    x: Any, y: Any, message: Any = None, summarize: Any = None, name: str | None = None
) -> None:
    """InvalidArgumentError unless all elements are equal."""
    _require(tensor(x) == tensor(y), message, "Condition x == y did not hold.")


def assert_greater(
    x: Any, y: Any, message: Any = None, summarize: Any = None, name: str | None = None
) -> None:
    """InvalidArgumentError unless x > y everywhere."""
    _require(tensor(x) > y, message, "Condition x > y did not hold.")


def assert_greater_equal(
    x: Any, y: Any, message: Any = None, summarize: Any = None, name: str | None = None
) -> None:
    """InvalidArgumentError unless x ≥ y everywhere."""
    _require(tensor(x) >= y, message, "Condition x >= y did not hold.")


def assert_less(
    x: Any, y: Any, message: Any = None, summarize: Any = None, name: str | None = None
) -> None:
    """InvalidArgumentError unless x < y everywhere."""
    _require(tensor(x) < y, message, "Condition x < y did not hold.")


def assert_less_equal(
    x: Any, y: Any, message: Any = None, summarize: Any = None, name: str | None = None
) -> None:
    """InvalidArgumentError unless x ≤ y everywhere."""
    _require(tensor(x) <= y, message, "Condition x <= y did not hold.")


def assert_non_negative(
    x: Any, message: Any = None, summarize: Any = None, name: str | None = None
) -> None:
    """InvalidArgumentError unless x ≥ 0 everywhere."""
    assert_greater_equal(x, 0, message)


def assert_positive(
    x: Any, message: Any = None, summarize: Any = None, name: str | None = None
) -> None:
    """InvalidArgumentError unless x > 0 everywhere."""
    assert_greater(x, 0, message)


def assert_near(
    x: Any,
    y: Any,
    rtol: Any = None,
    atol: Any = None,
    message: Any = None,
    summarize: Any = None,
    name: str | None = None,
) -> None:
    """InvalidArgumentError unless the elements are close."""
    a, b = tensor(x).detach()._concrete(), tensor(y).detach()._concrete()
    eps = 10 * np.finfo(a.dtype).eps if a.dtype.kind == "f" else 0
    _require(np.isclose(a, b, eps if rtol is None else rtol, eps if atol is None else atol),
             message, "x and y not equal to tolerance")  # fmt: skip


def assert_rank(x: Any, rank: Any, message: Any = None, name: str | None = None) -> None:
    """ValueError unless x has so many axes."""
    if len(x.shape) != int(rank):
        raise ValueError(f"{message or ''} Tensor must have rank {int(rank)}, got {x.shape}")


def assert_shapes(
    shapes: Any, data: Any = None, summarize: Any = None, message: Any = None, name: Any = None
) -> None:
    """ValueError unless sizes of one name are the same size."""
    sizes: dict[str, int] = {}
    for x, shape in shapes.items() if isinstance(shapes, dict) else shapes:
        for n, label in zip(x.shape, shape, strict=True):
            wanted = sizes.setdefault(label, n) if isinstance(label, str) else label
            if wanted not in (None, n):
                raise ValueError(
                    f"{message or ''} size {label!r} is {wanted}, got {n} in {x.shape}"
                )


def check_numerics(tensor: Any, message: str, name: str | None = None) -> Any:
    """`tensor`; InvalidArgumentError if something in it is infinite or no number."""
    array = tensor.detach()._concrete()
    if not np.isfinite(array).all():
        what = "NaN" if np.isnan(array).any() else "Inf"
        raise InvalidArgumentError(f"{message} : Tensor had {what} values")
    return tensor


def enable_check_numerics(stack_height_limit: int = 30, path_length_limit: int = 50) -> None:
    """An error where the first NaN or infinite number comes from."""
    _settings.nan_guard = True


def disable_check_numerics() -> None:
    _settings.nan_guard = False


def set_log_device_placement(enabled: bool) -> None:
    """There is one device."""


__getattr__ = later(__name__)
