"""`keras.src`, Keras's inside, as its own tests import it: every name is ours.

Only for running Keras's tests (`scripts/keras_conformance.py`). The tests, and `keras.src.testing`,
are Keras's files from an installed or unpacked Keras; any other module below `keras` is a `Facade`,
which has Keras's place in the tree and looks its names up in `chainrule.keras`. `tensorflow`, where
a test uses it, is chainrule too.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from keras_suite import conftest_keras, tensorflow_parts

#: Where the names of a module of Keras are looked for, before its own name and its parents. The
#: longest prefix that fits is used. All are rooms of `chainrule.keras`.
PLACES: dict[str, tuple[str, ...]] = {
    "backend": (
        "backend", "ops", "random", "settings", "variables", "scopes", "symbolic", "naming",
        "context", "=keras_suite.backend_facts",
    ),
    "backend.common": (
        "backend", "settings", "variables", "scopes", "symbolic", "naming", "context", "ops",
        "random",
    ),
    "ops.function": ("models.function", "models", "symbolic"),
    "backend.config": ("config",),
    "backend.common.backend_utils": ("=keras_suite.backend_utils",),
    "backend.common.dtypes": ("ops.promotion", "backend", "=keras_suite.backend_facts"),
    "random": ("random",),
    "ops": ("ops", "symbolic", "backend", "=keras_suite.operations"),
    "backend.common.global_state": ("backend",),
    "utils.module_utils": ("=keras_suite.module_utils",),
    "utils.file_utils": ("=keras_suite.file_utils",),
    "utils.io_utils": ("=chainrule.training.messages",),
    "utils.progbar": ("=chainrule.training.progress",),
    "utils.summary_utils": ("models.summary",),
    "utils.model_visualization": ("plotting",),
    "utils.traceback_utils": ("config",),
    "utils.tracking": ("=keras_suite.tracking",),
    "utils": ("utils", "settings", "naming", "=keras_suite.python_utils"),
    "models.model": ("models.model", "models"),
    "models.functional": ("models.model", "models"),
    "models.sequential": ("models.sequential", "models"),
    "saving.saving_lib": ("=keras_suite.saving_lib",),
    "saving.saving_api": ("saving",),
    "saving.serialization_lib": ("registry",),
    "saving.object_registration": ("registry",),
    "legacy.saving": ("saving.legacy",),
    "trainers.trainer": ("models.trainer",),
    "trainers.compile_utils": ("models.compiled",),
    "layers.preprocessing.image_preprocessing": (
        "layers.augmentation", "layers.augmentation.boxes",
    ),
    "trainers.data_adapters.py_dataset_adapter": ("utils.batches",),
    "layers.rnn.conv_lstm": ("layers.conv_recurrent",),
    "layers.rnn.dropout_rnn_cell": ("layers.cells",),
    "layers.layer": ("layers.base", "layers"),
    "layers.core.einsum_dense": ("=keras_suite.einsum_dense",),
    "quantizers": ("=keras_suite.quantizers",),
    "callbacks": ("callbacks", "callbacks.monitor", "callbacks.tensorboard"),
    "dtype_policies": ("dtype_policies", "settings", "=keras_suite.policies"),
    "applications": ("applications",),
}  # fmt: skip
OURS = "chainrule.keras"
#: What Keras's files themselves bring: tests, and what tests are written with.
THEIRS = ("keras.src.testing",)


def _is_theirs(name: str) -> bool:
    return name.endswith("_test") or any(
        name == own or name.startswith(own + ".") for own in THEIRS
    )


class Facade(ModuleType):
    """A module of Keras whose names are ours."""

    _places: tuple[str, ...]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if _on_disk(self.__path__, name):  # a module below this one, as a facade
            return importlib.import_module(f"{self.__name__}.{name}")
        for place in self._places:
            found = _look(place, name)
            if found is not None:
                return found
        raise AttributeError(f"chainrule.keras has no {name} for {self.__name__}")

    def __setattr__(self, name: str, value: Any) -> None:
        """What a test sets (`mock.patch`) is set where it is read, until it is deleted here."""
        super().__setattr__(name, value)
        if isinstance(value, ModuleType):  # a module below, which the import hangs on this one
            return
        for place in vars(self).get("_places", ()):
            module = _module(place)
            if module is not None and not name.startswith("__") and hasattr(module, name):
                vars(self).setdefault("_before", {})[name] = (module, getattr(module, name))
                setattr(module, name, value)
                return

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        module, value = vars(self).get("_before", {}).pop(name, (None, None))
        if module is not None:
            setattr(module, name, value)


def _on_disk(folders: Sequence[str], name: str) -> bool:
    return any(
        Path(folder, name, "__init__.py").is_file() or Path(folder, f"{name}.py").is_file()
        for folder in folders
    )


def _module(place: str) -> ModuleType | None:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if not place.startswith(error.name or "?"):
            raise
        return None


def _look(place: str, name: str) -> Any:
    """What a module of ours has under a name, or None."""
    module = _module(place)
    try:
        return getattr(module, name, None) if module is not None else None
    except NotImplementedError:  # the module says why it has none
        return None


def _places(name: str) -> Iterator[str]:
    """The modules of ours in which the names of Keras's module `name` may be."""
    inner = name.removeprefix("keras").removeprefix(".src").removeprefix(".")
    parts = inner.split(".") if inner else []
    for end in range(len(parts), 0, -1):
        prefix = ".".join(parts[:end])
        for place in PLACES.get(prefix, ()):
            yield place[1:] if place.startswith("=") else f"{OURS}.{place}"
        yield f"{OURS}.{prefix}"
    yield OURS


class Finder(MetaPathFinder, Loader):
    """Finds `keras`, what is below it, and `tensorflow`."""

    def __init__(self, root: Path) -> None:
        self.root = root  # the folder that holds Keras's own `keras`

    def find_spec(
        self, name: str, path: Any = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "tensorflow" or name.startswith("tensorflow."):
            return ModuleSpec(name, self, is_package=True)
        if name != "keras" and not name.startswith("keras."):
            return None
        if _is_theirs(name):
            return PathFinder.find_spec(name, path)
        folder = self.root.joinpath(*name.split("."))
        if not folder.is_dir() and not folder.with_suffix(".py").is_file():
            return None
        spec = ModuleSpec(name, self, is_package=True)
        spec.submodule_search_locations = [str(folder)] if folder.is_dir() else []
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        top, _, inner = spec.name.partition(".")
        if top == "tensorflow":
            if spec.name in tensorflow_parts.NAMES:
                return tensorflow_parts.modules()[spec.name]
            return importlib.import_module(f"chainrule.{inner}" if inner else "chainrule")
        made = Facade(spec.name)
        made._places = tuple(dict.fromkeys(_places(spec.name)))
        return made

    def exec_module(self, module: ModuleType) -> None:
        return None


def install(root: Path) -> None:
    """From now on `keras` is ours, and Keras's tests can be imported from `root`."""
    for name in [n for n in sys.modules if n == "keras" or n.startswith("keras.")]:
        del sys.modules[name]
    sys.modules["conftest"] = conftest_keras
    sys.meta_path.insert(0, Finder(root))
    if importlib.util.find_spec("grain") is None:
        sys.modules["grain"] = importlib.import_module("keras_suite.grain")
