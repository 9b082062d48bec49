"""What all schedules share: the clock, the first step, the state, and how a rate is written."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from chainrule.optim.optimizer import Optimizer
from chainrule.tensor import Tensor, no_grad

Rates: TypeAlias = list[Any]  # one per parameter group: floats, or tensors where the group has one

EPOCH_DEPRECATION_WARNING = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where "
    "possible. Please use `scheduler.step()` to step the scheduler. During the deprecation, if "
    "epoch is different from None, the closed form is used instead of the new chainable form, "
    "where available."
)


class LRScheduler:
    """Base class of learning rate schedules: one `step()` after each epoch (or each batch).

    A subclass defines `get_lr`, the rates at `last_epoch`, usually from the present rates
    (`group["lr"]`), so that several schedules may act on one optimiser. It may define
    `_get_closed_form_lr`, the rates straight from the first ones (`base_lrs`), for `step(epoch)`.
    `last_epoch` is -1 for a fresh start; another value needs "initial_lr" in the parameter groups.

    >>> from chainrule.optim import SGD
    >>> from chainrule.tensor.creation import zeros
    >>> class Harmonic(LRScheduler):
    ...     def get_lr(self):
    ...         return [base / (1 + self.last_epoch) for base in self.base_lrs]
    >>> optimizer = SGD([zeros(2, requires_grad=True)], lr=0.3)
    >>> schedule = Harmonic(optimizer)
    >>> optimizer.step(); schedule.step(); optimizer.step(); schedule.step()
    >>> [round(lr, 3) for lr in schedule.get_last_lr()]
    [0.1]
    """

    _get_lr_called_within_step: bool = False
    _is_initial: bool = False

    optimizer: Optimizer
    last_epoch: int
    base_lrs: Rates
    _last_lr: Rates
    _step_count: int

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming "
                    "scheduler with last_epoch >= 0. Load the optimizer's state_dict first, or "
                    "start fresh with last_epoch=-1."
                )
        self.base_lrs = values_of(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        """Set the rates of epoch 0."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self) -> dict[str, Any]:
        """All variables of the schedule but the optimiser."""
        return self._state_without("optimizer")

    def _state_without(self, *names: str) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a dict that `state_dict` returned."""
        self.__dict__.update(state_dict)

    def get_last_lr(self) -> Rates:
        """The rates that the last step has set, one per parameter group."""
        return self._last_lr

    def get_lr(self) -> Rates:
        """The rates of `last_epoch`, one per parameter group. To read them use `get_last_lr`."""
        raise NotImplementedError(f"{type(self).__name__} defines no get_lr()")

    def step(self, epoch: Any = None) -> None:
        """Go to the next epoch, or, deprecated, to `epoch`. Call it after `optimizer.step()`."""
        if self._step_count == 1:
            self._warn_of_wrong_order()
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_DEPRECATION_WARNING, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _warn_of_wrong_order(self) -> None:
        if not hasattr(self.optimizer.step, "hooked"):
            warnings.warn(
                "Seems like `optimizer.step()` has been overridden after learning rate scheduler "
                "initialization. Please, make sure to call `optimizer.step()` before "
                "`lr_scheduler.step()`.",
                UserWarning,
                stacklevel=3,
            )
        elif not self.optimizer._opt_called:
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. You should "
                "call them in the opposite order: `optimizer.step()` before "
                "`lr_scheduler.step()`. Failure to do this skips the first value of the learning "
                "rate schedule.",
                UserWarning,
                stacklevel=3,
            )

    def _update_lr(self, epoch: Any = None) -> None:
        closed = None if epoch is None else getattr(self, "_get_closed_form_lr", None)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        with self._asking():
            self._set(self.get_lr() if closed is None else closed())

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """While the schedule itself asks `get_lr`, which warns everybody else."""
        self._get_lr_called_within_step = True
        try:
            yield
        finally:
            self._get_lr_called_within_step = False

    def _set(self, rates: Rates) -> None:
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            set_value(group, "lr", lr)
        self._last_lr = values_of(self.optimizer, "lr")

    def _warn_unless_asked(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, "
                "please use `get_last_lr()`.",
                UserWarning,
                stacklevel=3,
            )

    def _unchanged(self) -> Rates:
        return values_of(self.optimizer, "lr")

    def _times(self, factor: float) -> Rates:
        """The present rates times a factor."""
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _base_times(self, factor: float) -> Rates:
        """The first rates times a factor."""
        return [lr * factor for lr in self.base_lrs]


class _LRScheduler(LRScheduler):
    """The name that `LRScheduler` had before PyTorch 2.0."""


def check_optimizer(optimizer: Any) -> None:
    """Raise TypeError unless this is an optimiser."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def copied(value: Any) -> Any:
    """The value, a tensor as a tensor of its own."""
    return value.detach().clone() if isinstance(value, Tensor) else value


def values_of(optimizer: Optimizer, key: str) -> list[Any]:
    """An option of every parameter group; tensors are copied."""
    return [copied(group[key]) for group in optimizer.param_groups]


def set_value(group: dict[str, Any], key: str, value: Any) -> None:
    """Write an option of a group: into its tensor if it is one, else as it is."""
    if isinstance(group[key], Tensor):
        with no_grad():
            group[key].fill_(value.item() if isinstance(value, Tensor) else value)
    else:
        group[key] = value


def per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """One value for each parameter group, from one value or a list of that length."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        value = [value] * count
    elif len(value) != count:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. "
            f"{name} has {len(value)} values, param_groups has {count}."
        )
    return [copied(v) for v in value]


def function_state(function: Callable[..., Any] | None) -> dict[str, Any] | None:
    """What a schedule saves of a function of the user: the variables of a callable object."""
    if function is None or isinstance(function, types.FunctionType):
        return None
    return dict(function.__dict__)


class MomentumCycle:
    """Momentum that runs against the learning rate: `momentum` of SGD, or β₁ of the Adam family."""

    def __init__(self, optimizer: Optimizer) -> None:
        known = optimizer.defaults
        if "momentum" not in known and "betas" not in known:
            raise ValueError(
                "optimizer must support momentum or beta1 with `cycle_momentum` option enabled"
            )
        self.use_beta1 = "betas" in known

    def begin(self, optimizer: Optimizer, low: Sequence[Any], high: Sequence[Any]) -> None:
        """Start at the high end, and note both ends in the parameter groups."""
        for group, least, most in zip(optimizer.param_groups, low, high, strict=True):
            self.write(group, most)
            group["max_momentum"] = most
            group["base_momentum"] = least

    def write(self, group: dict[str, Any], momentum: Any) -> None:
        """Set the momentum of one group."""
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum
