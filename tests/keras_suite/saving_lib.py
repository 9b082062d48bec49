"""`keras.src.saving.saving_lib`: one module of Keras's that is several of ours.

Keras's tests set its limits to small numbers; what is set here is set where it is read.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from chainrule.keras.saving import archive, state, stores

#: Keras goes by the disk where a model is larger than this share of the memory. There is no such
#: share here: tests may set it.
_MEMORY_UPPER_BOUND = 0.5


class _Several(ModuleType):
    def __getattr__(self, name: str) -> Any:
        for module in (archive, state, stores):
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        for module in (archive, state, stores):
            if name in vars(module):
                setattr(module, name, value)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Several
