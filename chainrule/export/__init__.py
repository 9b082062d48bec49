"""`torch.export`: graphs of whole programs, which this version keeps to itself."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from chainrule import names

_WHY = (
    "this version writes no exported programs. torch.save(model, f) keeps a model for chainrule, "
    "torch.save(model.state_dict(), f) its values for PyTorch; chainrule.explain shows its graph"
)

__getattr__ = names.absent(__name__, _WHY)


class _Hint:
    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Dim.{self.name}"


class Dim:
    """A dimension that may have any size, by name."""

    AUTO: ClassVar[Any] = _Hint("AUTO")
    DYNAMIC: ClassVar[Any] = _Hint("DYNAMIC")
    STATIC: ClassVar[Any] = _Hint("STATIC")

    def __init__(self, name: str, *, min: int | None = None, max: int | None = None) -> None:
        self.__name__, self.min, self.max = name, min, max


def dims(*names: str, min: int | None = None, max: int | None = None) -> tuple[Dim, ...]:
    """Several."""
    return tuple(Dim(name, min=min, max=max) for name in names)


def export(mod: Any, args: Any, kwargs: Any = None, **options: Any) -> NoReturn:
    """Raises NotImplementedError."""
    raise NotImplementedError(f"torch.export.export: {_WHY}")


def save(ep: Any, f: Any, **options: Any) -> NoReturn:
    """Raises NotImplementedError."""
    raise NotImplementedError(f"torch.export.save: {_WHY}")


def load(f: Any, **options: Any) -> NoReturn:
    """Raises NotImplementedError."""
    raise NotImplementedError(f"torch.export.load: {_WHY}")
