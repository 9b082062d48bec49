"""Modules inside TensorFlow with which Keras's tests read event files."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from types import ModuleType
from typing import Any


def tf_record_iterator(path: str) -> Iterator[bytes]:
    """The records of a file of events."""
    with open(path, "rb") as file:
        while header := file.read(12):
            (length,) = struct.unpack("<Q", header[:8])
            yield file.read(length)
            file.read(4)


def _module(name: str, **names: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(names)
    return made


NAMES = (
    "tensorflow.compat", "tensorflow.compat.v1", "tensorflow.core", "tensorflow.core.util",
    "tensorflow.core.util.event_pb2", "tensorflow.python", "tensorflow.python.lib",
    "tensorflow.python.lib.io", "tensorflow.python.lib.io.tf_record", "tensorflow.python.eager",
    "tensorflow.python.eager.context",
)  # fmt: skip


def modules() -> dict[str, ModuleType]:
    """By the name under which tests import them."""
    from tensorboard.compat.proto import event_pb2
    from tensorboard.compat.proto.summary_pb2 import SummaryMetadata

    context = _module("context")
    records = _module("tf_record", tf_record_iterator=tf_record_iterator)
    return {
        "tensorflow.compat": _module("compat"),
        "tensorflow.compat.v1": _module("v1", SummaryMetadata=SummaryMetadata),
        "tensorflow.core": _module("core"),
        "tensorflow.core.util": _module("util", event_pb2=event_pb2),
        "tensorflow.core.util.event_pb2": event_pb2,
        "tensorflow.python": _module("python"),
        "tensorflow.python.lib": _module("lib"),
        "tensorflow.python.lib.io": _module("io", tf_record=records),
        "tensorflow.python.lib.io.tf_record": records,
        "tensorflow.python.eager": _module("eager", context=context),
        "tensorflow.python.eager.context": context,
    }
