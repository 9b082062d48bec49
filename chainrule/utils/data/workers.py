"""Worker threads: they prepare batches while the program computes.

Threads, not processes: NumPy gives up the interpreter lock where the time goes (gathering,
decoding, arithmetic), nothing has to be pickled or copied between processes, and a worker starts at
once. Code that holds the lock, pure Python in `__getitem__`, gains nothing from them.
"""

from __future__ import annotations

import copy
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from chainrule.runtime.random import own_twister

#: A task is what a worker does with its copy of the data set, and where it leaves the result.
Task = tuple["Future[Any]", Callable[[Any], Any]]

_here = threading.local()


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker knows: its number, how many there are, its seed, its copy of the data set."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


def get_worker_info() -> WorkerInfo | None:
    """This thread's `WorkerInfo`, or None outside the workers of a DataLoader."""
    info: WorkerInfo | None = getattr(_here, "info", None)
    return info


class WorkerPool:
    """`count` threads, each with its own queue and its own (shallow) copy of the data set.

    As in PyTorch task i goes to worker i mod count, so that what a worker keeps between two tasks
    does not depend on how fast the others are.
    """

    def __init__(
        self, dataset: Any, count: int, seed: int, init: Callable[[int], Any] | None
    ) -> None:
        self.count = count
        self._queues: list[SimpleQueue[Task | None]] = [SimpleQueue() for _ in range(count)]
        for number, queue in enumerate(self._queues):
            info = WorkerInfo(number, count, seed + number, copy.copy(dataset))
            threading.Thread(
                target=_work,
                args=(queue, info, init),
                name=f"chainrule-data-{number}",
                daemon=True,
            ).start()
        # The threads know the queues only, so that a forgotten pool is collected and ends them.
        self.close = weakref.finalize(self, _end, self._queues)

    def submit(self, worker: int, call: Callable[[Any], Any]) -> Future[Any]:
        """Let a worker do `call(its data set)`."""
        future: Future[Any] = Future()
        self._queues[worker].put((future, call))
        return future


def _end(queues: list[SimpleQueue[Task | None]]) -> None:
    for queue in queues:
        queue.put(None)


def _work(
    queue: SimpleQueue[Task | None], info: WorkerInfo, init: Callable[[int], Any] | None
) -> None:
    _here.info = info
    own_twister(info.seed)
    failure: BaseException | None = None
    if init is not None:
        try:
            init(info.id)
        except BaseException as error:
            failure = error  # every batch of this worker reports it
    while (task := queue.get()) is not None:
        future, call = task
        if not future.set_running_or_notify_cancel():
            continue
        try:
            if failure is not None:
                raise failure
            future.set_result(call(info.dataset))
        except BaseException as error:
            error.add_note(f"(in DataLoader worker {info.id} of {info.num_workers})")
            future.set_exception(error)
        del task, future, call  # an idle worker must not keep a batch alive
