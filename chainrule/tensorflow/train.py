"""`tf.train`: checkpoints of models, optimisers and variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.errors import NotFoundError
from chainrule.names import later
from chainrule.tensor import Tensor
from chainrule.tensorflow.variable import Variable


def _weights(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Variables by a path, of whatever holds some."""
    if isinstance(value, Tensor):
        yield name, value
    elif hasattr(value, "variables"):
        held = value.variables
        for i, v in enumerate(held() if callable(held) else held):
            yield f"{name}/{i}", v
    elif isinstance(value, list | tuple):
        for i, v in enumerate(value):
            yield from _weights(f"{name}/{i}", v)
    elif isinstance(value, dict):
        for k, v in value.items():
            yield from _weights(f"{name}/{k}", v)


class Status:
    """What a restore gives: everything was found, or an error was raised."""

    def expect_partial(self) -> Status:
        return self

    def assert_consumed(self) -> Status:
        return self

    def assert_existing_objects_matched(self) -> Status:
        return self


class Checkpoint:
    """Models, optimisers and variables that are saved together (in a file of NumPy's, `.npz`)."""

    def __init__(self, root: Any = None, **kwargs: Any) -> None:
        self._tracked = dict(kwargs) if root is None else {"root": root, **kwargs}
        for name, value in kwargs.items():
            setattr(self, name, value)
        self.save_counter = Variable(0, trainable=False, name="save_counter")

    def _all(self) -> dict[str, Any]:
        return dict(_weights("", {**self._tracked, "save_counter": self.save_counter}))

    def write(self, file_prefix: Any, options: Any = None) -> str:
        """Save under exactly this name; gives it."""
        path = Path(f"{file_prefix}.npz")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{k: v.detach().numpy() for k, v in self._all().items()})
        return str(file_prefix)

    def save(self, file_prefix: Any, options: Any = None) -> str:
        """Save under this name and the next number; gives the name."""
        self.save_counter.assign_add(1)
        name = self.write(f"{file_prefix}-{int(self.save_counter)}")
        (Path(name).parent / "checkpoint").write_text(Path(name).name)
        return name

    def read(self, save_path: Any, options: Any = None) -> Status:
        """Take the values of a file."""
        path = Path(f"{save_path}.npz")
        if not path.is_file():
            raise NotFoundError(f"Unsuccessful: no checkpoint at {save_path}")
        with np.load(path, allow_pickle=False) as found:
            for name, variable in self._all().items():
                if name in found:
                    variable.assign(found[name])
        return Status()

    def restore(self, save_path: Any, options: Any = None) -> Status:
        """As read; without a name (None) nothing is done."""
        return Status() if save_path is None else self.read(save_path)


class CheckpointManager:
    """Keeps the last so many checkpoints in a folder."""

    def __init__(
        self, checkpoint: Checkpoint, directory: Any, max_to_keep: int | None,
        keep_checkpoint_every_n_hours: Any = None, checkpoint_name: str = "ckpt", **options: Any,
    ) -> None:  # fmt: skip
        self.checkpoint, self.directory = checkpoint, str(directory)
        self._keep, self._name = max_to_keep, checkpoint_name

    @property
    def checkpoints(self) -> list[str]:
        """The names of what is there, oldest first."""
        pattern = re.compile(rf"{re.escape(self._name)}-(\d+)\.npz")
        found = [(int(m[1]), p) for p in Path(self.directory).glob("*.npz")
                 if (m := pattern.fullmatch(p.name))]  # fmt: skip
        return [str(p.with_suffix("")) for _, p in sorted(found)]

    @property
    def latest_checkpoint(self) -> str | None:
        return next(reversed(self.checkpoints), None)

    def save(
        self, checkpoint_number: Any = None, check_interval: bool = True, options: Any = None
    ) -> str:
        """Save, and forget the oldest."""
        prefix = str(Path(self.directory) / self._name)
        if checkpoint_number is None:
            name = self.checkpoint.save(prefix)
        else:
            name = self.checkpoint.write(f"{prefix}-{int(checkpoint_number)}")
        for old in self.checkpoints[: -self._keep] if self._keep else []:
            Path(f"{old}.npz").unlink()
        return name

    def restore_or_initialize(self) -> str | None:
        """Restore the latest, if there is one; gives its name."""
        latest = self.latest_checkpoint
        self.checkpoint.restore(latest)
        return latest


def latest_checkpoint(checkpoint_dir: Any, latest_filename: str | None = None) -> str | None:
    """The name of the last checkpoint in a folder, or None."""
    file = Path(str(checkpoint_dir)) / (latest_filename or "checkpoint")
    return str(file.parent / file.read_text().strip()) if file.is_file() else None


_RECORDS = "TFRecords and their protocol buffers are not here; keep arrays with np.savez"
__getattr__ = later(
    __name__,
    missing=dict.fromkeys(
        ("Example", "Feature", "Features", "BytesList", "FloatList", "Int64List",
         "SequenceExample"), _RECORDS,
    )
    | dict.fromkeys(
        ("AdamOptimizer", "GradientDescentOptimizer", "Saver", "Coordinator"),
        "it is of TensorFlow 1; use keras.optimizers and tf.train.Checkpoint",
    ),
)  # fmt: skip
