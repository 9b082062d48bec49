"""Averages of a model's parameters along its training: stochastic weight averaging, and EMA."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any, TypeAlias

from chainrule import dtypes, names
from chainrule.nn import Module
from chainrule.nn.modules.batchnorm import _BatchNorm
from chainrule.optim.lr_scheduler._base import LRScheduler, Rates, per_group
from chainrule.optim.optimizer import Optimizer
from chainrule.tensor import Tensor, flush, no_grad
from chainrule.tensor.creation import tensor

Average: TypeAlias = Callable[[Tensor, Tensor, Tensor | int], Tensor]
AverageAll: TypeAlias = Callable[[list[Tensor], list[Tensor], Tensor | int], None]


def get_swa_avg_fn() -> Average:
    """The mean of all models so far: average + (new - average) / (n + 1)."""

    def swa_update(average: Tensor, current: Tensor, num_averaged: Tensor | int) -> Tensor:
        with no_grad():
            return average + (current - average) / (num_averaged + 1)

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """A mean that forgets: decay · average + (1 - decay) · new."""
    _check_decay(decay)

    def ema_update(average: Tensor, current: Tensor, num_averaged: Tensor | int) -> Tensor:
        with no_grad():
            return decay * average + (1 - decay) * current

    return ema_update


def get_swa_multi_avg_fn() -> AverageAll:
    """`get_swa_avg_fn` for lists of tensors, in place."""
    return _for_all(get_swa_avg_fn())


def get_ema_multi_avg_fn(decay: float = 0.999) -> AverageAll:
    """`get_ema_avg_fn` for lists of tensors, in place."""
    return _for_all(get_ema_avg_fn(decay))


def _for_all(average: Average) -> AverageAll:
    def update(averages: list[Tensor], currents: list[Tensor], num_averaged: Any) -> None:
        with no_grad():
            for a, current in zip(averages, currents, strict=True):
                a.copy_(average(a, current, num_averaged))

    return update


def _check_decay(decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise ValueError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] range."
        )


class AveragedModel(Module):
    """A copy of a model whose parameters are averages; `update_parameters(model)` takes one more.

    `avg_fn(average, new, n)` gives the new average of one tensor, `multi_avg_fn(averages, news, n)`
    changes all of them in place; without either, the plain mean (Izmailov et al., "Averaging
    Weights Leads to Wider Optima and Better Generalization", 2018). Buffers are copied, or with
    `use_buffers` averaged. Run `update_bn` before use if there is batch normalisation.

    >>> from chainrule.nn import Linear
    >>> model = Linear(1, 1, bias=False)
    >>> average = AveragedModel(model, avg_fn=get_ema_avg_fn(0.5))
    >>> for value in (1.0, 3.0):
    ...     with no_grad():
    ...         _ = model.weight.fill_(value)
    ...     average.update_parameters(model)
    >>> average.module.weight.item()
    2.0
    """

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: AverageAll | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, dtype=dtypes.int64))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The averaged model's output."""
        return self.module(*args, **kwargs)

    def _averaged(self, model: Module) -> Iterable[Tensor]:
        return chain(model.parameters(), model.buffers() if self.use_buffers else ())

    def update_parameters(self, model: Module) -> None:
        """Take the present parameters of `model` into the average; the first time, copy them."""
        with no_grad():
            averages = [p.detach() for p in self._averaged(self.module)]
            currents = [p.detach() for p in self._averaged(model)]
            if self.n_averaged == 0:
                for average, current in zip(averages, currents, strict=True):
                    average.copy_(current)
            else:
                update = self.multi_avg_fn or _for_all(self.avg_fn or get_swa_avg_fn())
                update(averages, currents, self.n_averaged)
            if not self.use_buffers:
                for ours, theirs in zip(self.module.buffers(), model.buffers(), strict=True):
                    ours.detach().copy_(theirs.detach())
            self.n_averaged += 1
            flush()


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the statistics of the model's batch normalisations anew, over all of `loader`.

    Batches are tensors, or tuples that begin with one.
    """
    momenta = {m: m.momentum for m in model.modules() if isinstance(m, _BatchNorm)}
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.reset_running_stats()
        module.momentum = None  # a cumulative mean over all batches
    with no_grad():
        for batch in loader:
            x = batch[0] if isinstance(batch, (list, tuple)) else batch
            model(x if device is None else x.to(device))
            flush()
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """Anneals the rate of each group to `swa_lr` in `anneal_epochs` epochs, then keeps it there.

    `anneal_strategy`: "cos" or "linear". Izmailov et al. 2018.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        for lr, group in zip(
            per_group("swa_lr", optimizer, swa_lr), optimizer.param_groups, strict=True
        ):
            group["swa_lr"] = lr
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _progress(self, step: int) -> float:
        """How much of the way to `swa_lr` is done after `step` steps, from 0 to 1."""
        t = max(0, min(1, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * t)) / 2 if self._anneal_strategy == "cos" else t

    def get_lr(self) -> Rates:
        self._warn_unless_asked()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._progress(step - 1), self._progress(step)
        rates = []
        for group in self.optimizer.param_groups:
            lr, end = group["lr"], group["swa_lr"]
            start = end if before == 1 else (lr - before * end) / (1 - before)
            rates.append(end * now + start * (1 - now))
        return rates

__getattr__ = names.later(__name__)
