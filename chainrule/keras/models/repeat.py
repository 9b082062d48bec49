"""The steps of `fit` and `evaluate`: recorded at first, then run again as they are.

Keras traces a step once; what the model does in Python is not done again. Here a step is recorded
until it was the same twice; from then on `chainrule.tensor.replay` runs it with the next batch.
Recorded anew is whatever has another shape, what comes after a change of the model (a layer frozen,
an optimizer's state loaded), and everything where a step cannot be told to be the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule import config
from chainrule.keras import variables as kept
from chainrule.lines import users_lines
from chainrule.telling import tell, told
from chainrule.tensor import Tensor, flush
from chainrule.tensor.replay import Step, fresh, take
from chainrule.training.tree import leaves

#: How often a step is recorded in the hope that it is the same again.
_PATIENCE = 4


class Repeated:
    """Calls `record(batch, compute)`, or runs again what it recorded."""

    def __init__(self, model: Any, record: Callable[..., None], *, trains: bool) -> None:
        self.model, self.record, self.trains = model, record, trains
        self._steps: dict[Any, Step] = {}
        self._tries: dict[Any, int] = {}
        self._last: dict[Any, Step | None] = {}

    def __call__(self, batch: Any) -> None:
        try:
            self._once(batch)
        except IndexError as error:
            error.add_note(_ranges(batch))
            if not told(error).lines:
                tell(error, lines=users_lines())
            raise

    def _once(self, batch: Any) -> None:
        optimizer = self.model.optimizer if self.trains else None
        if self.model.run_eagerly or not (optimizer is None or optimizer.repeatable):
            self.record(batch)
            return
        data = list(leaves(batch))
        key = _key(data, optimizer)
        step = self._steps.get(key)
        if step is None:
            self._observe(batch, data, key, optimizer)
            return
        if optimizer is not None:
            optimizer.begin()  # a schedule's rate is computed now
        if step.ready(data):
            step.run(data, {} if optimizer is None else optimizer.numbers_now())
        else:
            self.record(batch)

    def _observe(self, batch: Any, data: list[Any], key: Any, optimizer: Any) -> None:
        """Record the step; keep it where it is the same as the last one of its kind."""
        tries = self._tries.get(key, 0)
        if tries >= _PATIENCE:
            self.record(batch)
            return
        self._tries[key] = tries + 1
        trace = fresh()

        def compute() -> None:
            numbers = {} if optimizer is None else optimizer.recorded_numbers
            seen, last = take(trace, data, numbers, self._owned(optimizer)), self._last.get(key)
            if seen is not None and last is not None and seen.same_as(last):
                self._steps[key] = seen
            self._last[key] = seen
            flush()

        self.record(batch, compute)

    def _owned(self, optimizer: Any) -> list[Tensor]:
        """The tensors that stay from step to step."""
        slots = [] if optimizer is None else optimizer.slot_tensors
        metrics = [v for m in self.model.metrics for v in m.variables]
        return [*self.model.weights, *metrics, *slots]


def _ranges(batch: Any) -> str:
    """What numbers a batch brought: an index out of range is mostly a class or a word."""
    x, y, _ = batch
    told = []
    for name, part in (("inputs", x), ("targets", y)):
        for t in leaves(part):
            if isinstance(t, Tensor) and t.numel() and not t.dtype.is_complex:
                told.append(f"{name} {t.dtype.name}{list(t.shape)} from {t.min()} to {t.max()}")
    return (
        f"In this batch: {'; '.join(told)}. Class numbers for sparse_categorical_crossentropy must "
        "be in [0, number of the model's outputs), words for an Embedding in [0, input_dim)."
    )


def _key(data: list[Any], optimizer: Any) -> Any:
    """What a step depends on besides values."""
    return (
        kept.structure_version,
        config.nan_guard,  # what is recorded under the guard knows its layers
        None if optimizer is None else optimizer.generation,
        *((t._shape, t._dtype) if isinstance(t, Tensor) else t for t in data),
    )
