"""`keras.src.utils.file_utils`: Python's own files under the names that Keras's tests call."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any

from chainrule.keras import files

join: Callable[..., str] = os.path.join
exists = os.path.exists
isdir = os.path.isdir
listdir = os.listdir
remove = os.remove
rmtree = shutil.rmtree
File: Callable[..., Any] = open


def copy(src: str, dst: str) -> None:
    shutil.copy(src, dst)


def makedirs(path: str) -> None:
    os.makedirs(path, exist_ok=True)


def __getattr__(name: str) -> Any:
    return getattr(files, name)
