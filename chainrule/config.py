"""Switches that a user may turn while a program runs.

>>> from chainrule import config
>>> config.eager
False
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from chainrule.names import later

#: What computes: "llvm" (compiled for this processor) or "reference" (NumPy, one operation after
#: another). The environment variable CHAINRULE_BACKEND says what it is at first.
backend: str = os.environ.get("CHAINRULE_BACKEND", "llvm")

#: Which random numbers: "philox" (functions of seed, stream and position: the default) or "mt19937"
#: (PyTorch's own, draw for draw, to compare a program with what it gives there). The environment
#: variable CHAINRULE_RANDOM says what it is at first.
random: str = os.environ.get("CHAINRULE_RANDOM", "philox")

#: At most so many runs of a program are left to NumPy where compiling it would take longer (see
#: `compiler.patience`); 0 compiles everything at once. The environment variable CHAINRULE_PATIENCE
#: says what it is at first.
patience: int = int(os.environ.get("CHAINRULE_PATIENCE", "256"))

#: Compute every operation at once through the reference backend (for debugging: slow, and easy to
#: step through).
eager: bool = False

#: Stop where a loss, a gradient, a parameter or a value that is looked at is NaN or infinite, and
#: name the operation that made it out of finite numbers, with its layer and the user's line (see
#: `chainrule.nan_guard`).
nan_guard: bool = False

#: Where the guard saves what the failing program read, for `chainrule.explain.replay`: a folder is
#: made in this one. "": nothing is saved.
nan_folder: str = os.environ.get("CHAINRULE_NAN_FOLDER", "runs")

#: Look for NaN in every gradient that a backward pass makes, and name the operation whose rule made
#: the first (`torch.autograd.detect_anomaly`).
anomaly: bool = False

#: Evaluate what was recorded once this many operations wait, so that a loop that never looks stays
#: small.
max_pending: int = 8192

#: Arrays shared with NumPy that are larger than this (bytes) are read at once instead of being
#: copied for later.
snapshot_limit: int = 1 << 22


#: Setting → who is told of its new values.
_told: dict[str, list[Callable[[Any], None]]] = {}


def tell(setting: str, to: Callable[[Any], None]) -> None:
    """Call `to` with every new value of a setting, and now with the present one."""
    _told.setdefault(setting, []).append(to)
    to(globals()[setting])


class _Settings(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        for told in _told.get(name, ()):
            told(value)


sys.modules[__name__].__class__ = _Settings

__getattr__ = later(__name__, also="chainrule.tensorflow.config")
