"""`tf.distribute`: one replica on one device, so that strategies have nothing to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from chainrule.names import later
from chainrule.tensorflow.convert import tensor


class Strategy:
    """How a model is spread over devices: here there is one, so it is not."""

    num_replicas_in_sync = 1

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.extended = SimpleNamespace(num_replicas_in_sync=1)

    @contextmanager
    def scope(self) -> Iterator[Strategy]:
        """A block in which variables are made."""
        yield self

    def run(
        self, fn: Callable[..., Any], args: Any = (), kwargs: Any = None, options: Any = None
    ) -> Any:
        """`fn(*args)`."""
        return fn(*args, **(kwargs or {}))

    def reduce(self, reduce_op: Any, value: Any, axis: Any = None) -> Any:
        """The value of the only replica, over `axis` if there is one."""
        if axis is None:
            return value
        x = tensor(value)
        return x.mean(axis) if str(reduce_op).upper().endswith("MEAN") else x.sum(axis)

    def experimental_distribute_dataset(self, dataset: Any, options: Any = None) -> Any:
        return dataset

    def distribute_datasets_from_function(self, dataset_fn: Any, options: Any = None) -> Any:
        return dataset_fn(SimpleNamespace(
            num_input_pipelines=1, input_pipeline_id=0, num_replicas_in_sync=1,
            get_per_replica_batch_size=lambda n: n,
        ))  # fmt: skip

    def experimental_local_results(self, value: Any) -> tuple[Any, ...]:
        return (value,)

    def gather(self, value: Any, axis: int) -> Any:
        return value


class MirroredStrategy(Strategy):
    """One replica, on the CPU."""


class OneDeviceStrategy(Strategy):
    """One replica, on the CPU."""


class MultiWorkerMirroredStrategy(Strategy):
    """One replica, on the CPU."""


_strategy = Strategy()


def get_strategy() -> Strategy:
    """The strategy of programs that choose none."""
    return _strategy


class ReduceOp:
    """How values of replicas are put together."""

    SUM, MEAN = "SUM", "MEAN"


experimental = SimpleNamespace(
    MultiWorkerMirroredStrategy=MultiWorkerMirroredStrategy, CentralStorageStrategy=Strategy
)
__getattr__ = later(__name__)
