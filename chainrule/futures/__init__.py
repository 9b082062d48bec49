"""`torch.futures`: values that somebody else will set."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Sequence
from typing import Any

from chainrule import names

__getattr__ = names.later(__name__)


class Future:
    """A value that is set once, perhaps by another thread."""

    def __init__(self, *, devices: Any = None) -> None:
        self._inner: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def done(self) -> bool:
        """Whether it is set."""
        return self._inner.done()

    def wait(self) -> Any:
        """The value, when it is set. Raises the error that was set instead."""
        return self._inner.result()

    value = wait

    def set_result(self, result: Any) -> None:
        """Set the value."""
        self._inner.set_result(result)

    def set_exception(self, result: BaseException) -> None:
        """Set an error."""
        self._inner.set_exception(result)

    def then(self, callback: Callable[[Future], Any]) -> Future:
        """What the callback makes of this future, once it is done."""
        after = Future()

        def run(_: Any) -> None:
            try:
                after.set_result(callback(self))
            except Exception as error:
                after.set_exception(error)

        self._inner.add_done_callback(run)
        return after

    def add_done_callback(self, callback: Callable[[Future], None]) -> None:
        """Call it once this is done."""
        self._inner.add_done_callback(lambda _: callback(self))


def wait_all(futures: Sequence[Future]) -> list[Any]:
    """All values."""
    return [f.wait() for f in futures]


def collect_all(futures: Sequence[Future]) -> Future:
    """A future of the list of futures: done when all are."""
    out = Future()
    for f in futures:
        f.wait()
    out.set_result(list(futures))
    return out
