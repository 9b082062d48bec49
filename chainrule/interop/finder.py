"""A finder that acts when einops is imported: einops asks the subclasses of its `AbstractBackend`
whose tensors it was given, so ours must exist by then.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

_BACKENDS = "einops._backends"
_LAYERS = "einops.layers.chainrule"
_HERE = Path(__file__).parent


class _Then(Loader):
    """A module's own loader, then a step of ours."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        _register()


class _Finder(MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == _LAYERS:
            return importlib.util.spec_from_file_location(name, _HERE / "einops_layers.py")
        if name != _BACKENDS:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Then(spec.loader)
        return spec


def _register() -> None:
    importlib.import_module("chainrule.interop.einops_backend")


def install() -> None:
    """Wait for einops, or act at once where it is there already."""
    if not any(isinstance(f, _Finder) for f in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    if _BACKENDS in sys.modules:
        _register()
