"""The output folder: model.safetensors, history.json, metrics.json, and report.html made of these,
each whole or not there.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chainrule import models, nn
from chainrule.errors import ChainruleError
from chainrule.io.files import atomic

MODEL, REPORT = "model.safetensors", "report.html"

#: What every run has.
PARTS = (MODEL, "history.json", "metrics.json")

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


class OutputError(ChainruleError):
    """The output folder cannot be written to."""


class Output:
    """A folder for what a training leaves: made, and proved writable, before it starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with self._says_what_to_do():
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass

    @classmethod
    def fresh(cls, parent: Path, name: str) -> Output:
        """`parent/name`, or `parent/name-2`, `-3` and so on where that exists."""
        for number in itertools.count(1):
            folder = parent / (name if number == 1 else f"{name}-{number}")
            if not folder.exists():
                break
        return cls(folder)

    @property
    def model_file(self) -> Path:
        return self.folder / MODEL

    def model(self, model: nn.Module, name: str, arguments: dict[str, Any]) -> None:
        """Write the network, so that `chainrule.models.load` builds it again."""
        with self._says_what_to_do():
            models.save(model, self.model_file, name=name, arguments=arguments)

    def json(self, name: str, content: Any) -> None:
        """Write `content` as `name`.json; a number that is not finite becomes null."""
        text = json.dumps(_finite(content), indent=2, allow_nan=False) + "\n"
        with self._says_what_to_do(), atomic(self.folder / f"{name}.json") as file:
            file.write(text.encode())

    def text(self, name: str, content: str) -> Path:
        """Write a text file."""
        with self._says_what_to_do(), atomic(self.folder / name) as file:
            file.write(content.encode())
        return self.folder / name

    @contextlib.contextmanager
    def _says_what_to_do(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno in _FULL:
                raise OutputError(
                    f"no room left for {self.folder}: {reason}. "
                    "Free some, or choose another folder with --output"
                ) from error
            raise OutputError(
                f"cannot write to {self.folder}: {reason}. Choose another folder with --output"
            ) from error


def _finite(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
