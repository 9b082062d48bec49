"""Trying something out: what was done inside a block did not happen.

Parameters, running statistics, gradients, the state of optimisers and metrics, attributes of
layers, modes, and the positions of random streams are as they were, bit for bit; what was recorded
and not computed is forgotten.

>>> import chainrule as torch
>>> from chainrule.explain.aside import aside
>>> norm = torch.nn.BatchNorm1d(2)
>>> with aside(norm):
...     _ = norm(torch.ones(4, 2))
...     _ = norm.eval()
>>> norm.training, norm.running_mean
(True, tensor([0., 0.]))
"""

from __future__ import annotations

import random
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator, MutableMapping, MutableSequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from chainrule.keras.layers.state import State as KerasLayer
from chainrule.keras.losses.base import Loss
from chainrule.keras.metrics_base import Metric
from chainrule.keras.models.steps import Kept
from chainrule.keras.optimizers.base import Optimizer as KerasOptimizer
from chainrule.keras.seeds import SeedGenerator
from chainrule.nn import Module
from chainrule.optim import Optimizer
from chainrule.optim.lr_scheduler import LRScheduler
from chainrule.runtime.random import STREAMS, Generator, stream
from chainrule.tensor import Tensor, flush
from chainrule.tensor.trace import Trace, state

#: What has a state of its own that using a model may change.
_STATEFUL = (
    Module, KerasLayer, Metric, Loss, Kept, Optimizer, KerasOptimizer, LRScheduler, SeedGenerator,
)  # fmt: skip
_HANDLE = (
    "_dtype", "_grad", "_hooks", "_shape", "base", "chain", "detached", "history", "leaf", "level",
    "storage", "strides",
)  # fmt: skip
_STORAGE = ("export", "failure", "family", "glimpse", "level", "silent", "unseen", "version")


class _Before:
    """What there was."""

    def __init__(self) -> None:
        self.seen: dict[int, Any] = {}
        self.handles: list[tuple[Tensor, type, tuple[Any, ...]]] = []
        self.storages: list[tuple[Any, np.ndarray | None, np.ndarray | None, tuple[Any, ...]]] = []
        self.containers: list[tuple[Any, Any]] = []
        self.generators: list[tuple[Generator, tuple[Any, ...]]] = []
        self.objects: list[tuple[Any, type, dict[str, Any]]] = []

    def keep(self, x: Any) -> None:
        """Remember a value and what it is made of."""
        stack = [x]
        while stack:
            x = stack.pop()
            if id(x) in self.seen:
                continue
            if isinstance(x, Tensor):
                self.seen[id(x)] = x
                stack.extend(self._tensor(x))
            elif isinstance(x, Generator):
                self.seen[id(x)] = x
                self.generators.append((x, (x._seed, x.key, x.position, x.lasting)))
            elif isinstance(x, (dict, list, deque, set)):
                self.seen[id(x)] = x
                self.containers.append((x, x.copy()))
                stack.extend(x.values() if isinstance(x, dict) else x)
            elif isinstance(x, tuple):
                stack.extend(x)
            elif isinstance(x, _STATEFUL):
                self.seen[id(x)] = x
                self.objects.append((x, type(x), dict(x.__dict__)))
                stack.extend(x.__dict__.values())

    def _tensor(self, t: Tensor) -> Iterator[Any]:
        self.handles.append((t, type(t), tuple(getattr(t, name) for name in _HANDLE)))
        s = t.storage
        if id(s) not in self.seen:
            self.seen[id(s)] = s
            copy = None if s.array is None else s.array.copy()
            fields = tuple(getattr(s, name) for name in _STORAGE)
            self.storages.append((s, s.array, copy, fields))
        if t._grad is not None:
            yield t._grad
        if t.base is not None:
            yield t.base

    def restore(self) -> None:
        """As it was."""
        for x, kind, then in self.objects:
            if type(x) is not kind:  # a lazy layer becomes another one at its first call
                object.__setattr__(x, "__class__", kind)
            now = x.__dict__
            if now.keys() != then.keys() or any(now[k] is not then[k] for k in then):
                now.clear()
                now.update(then)
        for container, copy in self.containers:
            _refill(container, copy)
        for t, kind, handle in self.handles:
            if type(t) is not kind:
                t.__class__ = kind
            for name, value in zip(_HANDLE, handle, strict=True):
                setattr(t, name, value)
            t.node, t.seen_in, t.version = None, -1, -1
        for s, array, copy, fields in self.storages:
            if array is not None and copy is not None and not _same(array, copy):
                array[...] = copy
            s.array, s.node, s.trace, s.entered, s.input = array, None, None, -1, -1
            for name, value in zip(_STORAGE, fields, strict=True):
                setattr(s, name, value)
        for g, (seed, key, position, lasting) in self.generators:
            g._seed, g.key, g.position, g.lasting = seed, key, position, lasting


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.tobytes() == b.tobytes()


def _refill(container: Any, copy: Any) -> None:
    if isinstance(container, MutableMapping):
        same = len(container) == len(copy) and all(
            k is j and container[k] is copy[j] for k, j in zip(container, copy, strict=True)
        )
    elif isinstance(container, MutableSequence):
        same = len(container) == len(copy) and all(
            a is b for a, b in zip(container, copy, strict=True)
        )
    else:
        same = False
    if not same:
        container.clear()
        if isinstance(container, (dict, OrderedDict, defaultdict, set)):
            container.update(copy)
        else:
            container.extend(copy)


@contextmanager
def aside(*things: Any) -> Iterator[None]:
    """A block after which `things` (models, optimisers, tensors, or structures of them) and the
    random streams are as before.
    """
    flush()
    before = _Before()
    before.keep(list(things))
    streams = {name: stream(name).snapshot() for name in STREAMS}
    drawn = random.getstate(), np.random.get_state()
    here = state.here
    try:
        yield
    finally:
        here.current = Trace()  # what waits is forgotten
        before.restore()
        for name, then in streams.items():
            if stream(name).snapshot() != then:
                stream(name).restore(then)
        random.setstate(drawn[0])
        np.random.set_state(drawn[1])
