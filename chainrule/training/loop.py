"""The loop over epochs: one walk that `keras.Model.fit` and the command line share.

    for each epoch:
        reset the metrics
        for each batch:  step(batch)   record forward, loss, gradients, update; compute it all
        look at the metrics            the only place where values are read, but for the bar
        validate, tell the callbacks

The loop looks at no value in between. A callback that wants the values of a batch gets them; the
progress bar reads them only when it draws.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from chainrule.errors import DataError
from chainrule.training.callback_list import CallbackList
from chainrule.training.callbacks import Logs, Resume
from chainrule.training.data import Batches

#: What a step may return: values by name (lazy tensors or numbers), or None where `results` knows
#: them.
StepLogs = Mapping[str, Any] | None


@dataclass(frozen=True)
class Steps:
    """What the loop needs from a model: `step` on one batch, `results` to look, `reset` before an
    epoch. Callbacks are called once in `at_once` batches.
    """

    step: Callable[[Any], StepLogs]
    results: Callable[[StepLogs], dict[str, float]]
    reset: Callable[[], None]
    at_once: int = 1


def run(
    training: Steps,
    batches: Batches,
    callbacks: CallbackList,
    *,
    epochs: int = 1,
    initial_epoch: int = 0,
    validate: Callable[[], dict[str, float]] | None = None,
    validates_at: Callable[[int], bool] = lambda epoch: True,
) -> None:
    """Train for the epochs from `initial_epoch` to `epochs`, unless a callback stops earlier.

    `validate` returns values that enter the logs as `val_<name>`, in the epochs that `validates_at`
    names. Where a callback knows of a run that was cut off, this one goes on there. An exception
    (Ctrl-C too) ends the drawing, keeps what the callbacks have seen, and goes on to the caller.
    """
    logs: dict[str, float] = {}
    try:
        callbacks.on_train_begin()
        cut = callbacks.resume
        if cut is not None:
            _pass_by(batches, range(initial_epoch, cut.epoch), cut)
            initial_epoch = cut.epoch
        for epoch in range(initial_epoch, epochs):
            if cut is not None and callbacks.stopped:
                break
            training.reset()
            callbacks.on_epoch_begin(epoch)
            logs = _one_epoch(training, batches, callbacks, cut)
            cut = None
            if validate is not None and validates_at(epoch):
                logs |= {f"val_{name}": value for name, value in validate().items()}
            callbacks.on_epoch_end(epoch, logs)
            batches.end_epoch()
            if callbacks.stopped:
                break
        callbacks.on_train_end(logs)
    except BaseException:
        callbacks.abort()
        raise


def _pass_by(batches: Batches, epochs: range, cut: Resume) -> None:
    """The source goes through what an earlier process did with it; random numbers as they were."""
    for epoch in epochs:
        batches.pass_by()
        if cut.step == 0 and epoch == cut.epoch - 1:
            cut.restore(None)
        batches.end_epoch()
    if cut.step:
        cut.rewind()
    elif not epochs:
        cut.restore(None)


def _one_epoch(
    training: Steps, batches: Batches, callbacks: CallbackList, cut: Resume | None
) -> dict[str, float]:
    returned: StepLogs = None
    count = 0
    coming = enumerate(batches.epoch())
    if cut is not None and cut.step:
        done = deque(islice(coming, cut.step), maxlen=1)  # an earlier process did these
        count = done[0][0] + 1 if done else 0
        cut.restore(done[0][1] if done else None)
    for index, batch, more in _groups(coming, training.at_once):
        callbacks.on_train_batch_begin(index)
        returned = training.step(batch)
        for last, following in more:
            index, returned = last, training.step(following)
        count = index + 1
        callbacks.on_train_batch_end(index, Logs(training.results, returned))
        if callbacks.stopped:
            break
    if count == 0:
        raise DataError("the data gave no batch: nothing to train on")
    if batches.steps is None:
        batches.steps = count  # the next epoch's progress bar knows its end
        callbacks.set_steps(count)
    return training.results(returned)


def evaluate(testing: Steps, batches: Batches, callbacks: CallbackList) -> dict[str, float]:
    """One pass without updates; the metrics' values at its end."""
    try:
        testing.reset()
        callbacks.on_test_begin()
        returned: StepLogs = None
        count = 0
        for index, batch, more in _groups(enumerate(batches.epoch()), testing.at_once):
            callbacks.on_test_batch_begin(index)
            returned = testing.step(batch)
            for last, following in more:
                index, returned = last, testing.step(following)
            count = index + 1
            callbacks.on_test_batch_end(index, Logs(testing.results, returned))
            if callbacks.asked("stop_evaluating"):
                break
        if count == 0:
            raise DataError("the data gave no batch: nothing to evaluate on")
        logs = testing.results(returned)
        callbacks.on_test_end(logs)
    except BaseException:
        callbacks.abort()
        raise
    return logs


def predict(
    step: Callable[[Any], Any], batches: Batches, callbacks: CallbackList, at_once: int = 1
) -> list[Any]:
    """What `step` gives for each batch."""
    outputs: list[Any] = []
    try:
        callbacks.on_predict_begin()
        for index, batch, more in _groups(enumerate(batches.epoch()), at_once):
            callbacks.on_predict_batch_begin(index)
            outputs.append(step(batch))
            for last, following in more:
                index = last
                outputs.append(step(following))
            callbacks.on_predict_batch_end(index, {"outputs": outputs[-1]})
            if callbacks.asked("stop_predicting"):
                break
        callbacks.on_predict_end()
    except BaseException:
        callbacks.abort()
        raise
    if not outputs:
        raise DataError("the data gave no batch: nothing to predict")
    return outputs


def _groups(
    numbered: Iterable[tuple[int, Any]], at_once: int
) -> Iterator[tuple[int, Any, Iterator[tuple[int, Any]]]]:
    """The first batch of each group with its number, and the others of the group."""
    coming = iter(numbered)
    for index, batch in coming:
        yield index, batch, islice(coming, at_once - 1) if at_once > 1 else _NOTHING


_NOTHING: Iterator[tuple[int, Any]] = iter(())
