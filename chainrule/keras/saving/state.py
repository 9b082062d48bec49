"""The walk over a model for its files: every layer and optimizer under a path that depends on how
the model is built, not on automatic names.

`layers/dense_1/vars/0` is the first weight of the model's second Dense. A part is found under the
name of the attribute that holds it; in lists and dicts, under its class's name in snake case,
counted. A part that is met twice is written at the first place. Source: Keras 3,
`keras.src.saving.saving_lib`.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from typing import Any

from chainrule.keras.layers.base import Layer
from chainrule.keras.losses import Loss
from chainrule.keras.metrics_base import Metric
from chainrule.keras.naming import snake_case
from chainrule.keras.optimizers.base import Optimizer
from chainrule.keras.symbolic import Operation

_SAVEABLE = (Operation, Optimizer, Metric, Loss)


#: Where a model keeps its layers a second time.
_SEEN_ALREADY = ("operations", "_operations", "_graph_layers", "_stack")


@functools.cache
def _passed_over(kind: type) -> frozenset[str]:
    """Attributes that every object of that kind has: nobody's own parts."""
    plain: dict[type, Any] = {
        Layer: lambda: Layer(name="plain"),
        Optimizer: lambda: Optimizer(1.0, name="plain"),
        Metric: lambda: Metric(name="plain"),
        Loss: lambda: Loss(name="plain"),
    }
    return frozenset([*dir(plain.get(kind, kind)()), *_SEEN_ALREADY])


def _parts(saveable: Any) -> Iterator[tuple[str, Any]]:
    """Attributes with their names: a model's layers first, private ones last."""
    kinds: tuple[type, ...] = (Layer, *_SAVEABLE)
    kind = next((k for k in kinds if isinstance(saveable, k)), Operation)
    known = _passed_over(kind)
    if getattr(saveable, "graph", None) is not None or getattr(saveable, "is_sequential", False):
        yield "layers", saveable.layers
    for name in sorted(dir(saveable), key=lambda n: f"~{n}" if n.startswith("_") else n):
        if name.startswith("__") or name in known:
            continue
        try:
            part = getattr(saveable, name)
        except Exception:  # a property of a user's own may raise anything
            continue
        yield name, part


def _joined(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


class _Names:
    """dense, dense_1, dense_2 within one container."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}

    def __call__(self, name: str) -> str:
        count = self._used.get(name, -1) + 1
        self._used[name] = count
        return f"{name}_{count}" if count else name


def _members(container: Any) -> Iterator[tuple[str, Any]]:
    """What can be saved in a list or dict, with its names."""
    name_of = _Names()
    for part in list(container.values()) if isinstance(container, dict) else list(container):
        if isinstance(part, _SAVEABLE):
            yield name_of(snake_case(type(part).__name__)), part
        elif isinstance(part, list | dict | tuple):
            yield name_of("container"), part


class Writer:
    """Writes a model's state into stores."""

    def __init__(self, weights: Any, assets: Any = None, skip: Any = ()) -> None:
        self.weights, self.assets = weights, assets
        self._seen = {id(part) for part in skip}

    def write(self, saveable: Any, path: str = "") -> None:
        if id(saveable) in self._seen:
            return
        if self.weights is not None and hasattr(saveable, "save_own_variables"):
            name = getattr(saveable, "name", None)
            metadata = {"name": name} if isinstance(name, str) else None
            saveable.save_own_variables(self.weights.make(path, metadata=metadata))
        if self.assets is not None and hasattr(saveable, "save_assets"):
            saveable.save_assets(self.assets.make(path))
        self._seen.add(id(saveable))
        for name, part in _parts(saveable):
            self._part(part, _joined(path, name), set())

    def _part(self, part: Any, path: str, containers: set[int]) -> None:
        if isinstance(part, _SAVEABLE):
            self.write(part, path)
        elif isinstance(part, list | dict | tuple) and id(part) not in containers:
            containers.add(id(part))
            for name, member in _members(part):
                self._part(member, _joined(path, name), containers)


class Reader:
    """Reads a model's state from stores. What cannot be taken is kept in `errors`."""

    def __init__(self, weights: Any, assets: Any = None, skip: Any = ()) -> None:
        self.weights, self.assets = weights, assets
        self._seen = {id(part) for part in skip}
        self.errors: dict[int, tuple[Any, Exception]] = {}

    def read(self, saveable: Any, path: str = "") -> None:
        if id(saveable) in self._seen:
            return
        failed = False
        before = len(self.errors)
        try:
            if self.weights is not None and hasattr(saveable, "load_own_variables"):
                saveable.load_own_variables(self.weights.get(path))
            if self.assets is not None and hasattr(saveable, "load_assets"):
                saveable.load_assets(self.assets.get(path))
        except Exception as error:  # reported for all parts together
            self.errors[id(saveable)] = (saveable, error)
            failed = True
        own = len(self.errors) - before
        for name, part in _parts(saveable):
            self._part(part, _joined(path, name), set())
        if not failed:
            if len(self.errors) - before - own <= 0:
                self._seen.add(id(saveable))
            self.errors.pop(id(saveable), None)

    def _part(self, part: Any, path: str, containers: set[int]) -> None:
        if isinstance(part, _SAVEABLE):
            self.read(part, path)
        elif isinstance(part, list | dict | tuple) and id(part) not in containers:
            containers.add(id(part))
            for name, member in _members(part):
                inner = _joined(path, name)
                if isinstance(member, _SAVEABLE) or self._has(inner):
                    self._part(member, inner, containers)
                else:
                    self._missing(member, inner, containers)

    def _has(self, path: str) -> bool:
        return any(s is not None and s.has_path(path) for s in (self.weights, self.assets))

    def _missing(self, container: Any, path: str, containers: set[int]) -> None:
        """A container inside a container, which Keras did not always write."""
        errors, self.errors = self.errors, {}
        self._part(container, path, containers)
        if self.errors:
            warnings.warn(
                f"Skipping nested container at '{path}': no matching group found in the saved "
                "file. Keras did not always write layers that lie in containers inside containers; "
                "these keep their first values unless the file has them elsewhere.",
                stacklevel=2,
            )
        self.errors = errors

    def finish(self, *, warn_only: bool = False) -> None:
        """Say what could not be read: a ValueError, or a warning."""
        if not self.errors:
            return
        part, error = next(iter(self.errors.values()))
        message = (
            f"A total of {len(self.errors)} objects could not be loaded. Example error message for "
            f"object {part}:\n\n{error}\n\nList of objects that could not be loaded:\n"
            f"{[found for found, _ in self.errors.values()]}"
        )
        if not warn_only:
            raise ValueError(message)
        warnings.warn(message, stacklevel=4)
