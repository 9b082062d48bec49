"""`keras.src.utils.module_utils`: which optional packages Keras's tests may use."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any


class LazyModule:
    """A package that is imported when it is first used, if it is there at all."""

    def __init__(self, name: str, available: bool | None = None) -> None:
        self.name = name
        self._available = available

    @property
    def available(self) -> bool:
        if self._available is None:
            self._available = importlib.util.find_spec(self.name) is not None
        return self._available

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module(self.name), name)


#: TensorFlow is chainrule here, and has no TensorFlow graphs, sparse or ragged tensors.
tensorflow = LazyModule("tensorflow")
gfile = LazyModule("tensorflow.io.gfile", available=False)
tensorflow_io = LazyModule("tensorflow_io", available=False)
scipy = LazyModule("scipy")
jax = LazyModule("jax", available=False)
torchvision = LazyModule("torchvision", available=False)
torch_xla = LazyModule("torch_xla", available=False)
#: Keras tests its tree functions where one of the packages is there that compute them; ours are
#: found under the name of this one.
optree = LazyModule("optree", available=True)
dmtree = LazyModule("tree", available=False)
tf2onnx = LazyModule("tf2onnx", available=False)
litert = LazyModule("ai_edge_litert", available=False)
ocp = LazyModule("orbax.checkpoint", available=False)
grain = LazyModule("grain", available=False)
