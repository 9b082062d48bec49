"""Short trainings on a copy: does one batch get learned, and at which rate?"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.autograd.grads import grad
from chainrule.explain.aside import aside
from chainrule.explain.observe import is_keras
from chainrule.explain.passing import Batch, call_model, compute_loss
from chainrule.explain.reasons.finding import Found
from chainrule.explain.reasons.material import array
from chainrule.keras.optimizers.base import Optimizer as KerasOptimizer
from chainrule.optim import LBFGS, Adam
from chainrule.tensor import Tensor, enable_grad

#: Steps of a trial; the first and last losses that are averaged.
STEPS, ENDS = 40, 4


class Trial(NamedTuple):
    """Losses of one short training on one batch."""

    factor: float
    losses: list[float]

    @property
    def finite(self) -> bool:
        """Whether it did not overflow."""
        return bool(np.isfinite(self.losses).all())

    @property
    def end(self) -> float:
        """The loss at the end."""
        last = self.losses[-ENDS:]
        return float(np.mean(last)) if np.isfinite(last).all() else float("inf")

    def gain(self, start: float, best: float) -> float:
        """The share of what there is to gain that was gained."""
        return (start - self.end) / max(start - best, 1e-12)


class Trials:
    """Trials of a model with its optimizer (Adam, if there is none), all from the same state."""

    def __init__(
        self, model: Any, batch: Batch, loss: Any, optimizer: Any, deadline: float
    ) -> None:
        self.model, self.batch, self.loss = model, batch, loss
        self.optimizer, self.deadline = optimizer, deadline
        self.done: dict[float, Trial] = {}

    def run(self, factor: float, steps: int = STEPS) -> Trial | None:
        """A trial with the learning rate times a factor; None when there is no time left."""
        if factor not in self.done:
            if time.monotonic() > self.deadline:
                return None
            with aside(self.model, self.optimizer, self.loss, self.batch):
                self.done[factor] = Trial(factor, self._train(factor, steps))
        return self.done[factor]

    def _train(self, factor: float, steps: int) -> list[float]:
        step = self._step(factor)
        losses: list[float] = []
        for _ in range(steps):
            losses.append(step())
            if not np.isfinite(losses[-1]) or losses[-1] > 1e6 * (abs(losses[0]) + 1):
                losses.append(float("inf"))
                break
            if time.monotonic() > self.deadline and len(losses) > 2 * ENDS:
                break
        return losses

    def _step(self, factor: float) -> Callable[[], float]:
        model, optimizer = self.model, self.optimizer
        parameters = trained(model, optimizer)
        if isinstance(optimizer, KerasOptimizer):
            optimizer = _with_rate(optimizer, rate_of(optimizer) * factor)

            def update(grads: Sequence[Any]) -> None:
                optimizer.apply(list(grads), parameters)

        else:
            own = optimizer
            if own is None:
                own = Adam(parameters, lr=1e-3 * factor)
            else:
                for group in own.param_groups:
                    group["lr"] = group["lr"] * factor

            def update(grads: Sequence[Any]) -> None:
                for p, g in zip(parameters, grads, strict=True):
                    p.grad = g
                if isinstance(own, LBFGS):
                    own.step(closure)
                else:
                    own.step()

        def differentiated() -> tuple[Tensor, tuple[Any, ...]]:
            with enable_grad():
                out = call_model(model, self.batch.x)
                value = compute_loss(model, out, self.batch, self.loss)
                assert value is not None
                value = value.mean() if value.ndim else value
                return value.detach(), grad(value, parameters, allow_unused=True)

        def closure() -> Tensor:
            value, grads = differentiated()
            for p, g in zip(parameters, grads, strict=True):
                p.grad = g
            return value

        def step() -> float:
            now, grads = differentiated()
            if isinstance(optimizer, KerasOptimizer):
                grads = tuple(
                    p.detach() * 0 if g is None else g
                    for p, g in zip(parameters, grads, strict=True)
                )
            update(grads)
            return float(now.item())

        return step


def _with_rate(optimizer: Any, rate: float) -> Any:
    """A Keras optimizer with another learning rate; where a schedule says it, one like it."""
    try:
        optimizer.learning_rate = rate
    except TypeError:  # it follows a schedule
        config = {**optimizer.get_config(), "learning_rate": rate}
        return type(optimizer).from_config(config)
    return optimizer


def trained(model: Any, optimizer: Any) -> list[Tensor]:
    """The parameters that the optimizer changes, of the model's."""
    if is_keras(model):
        return list(model.trainable_weights)
    mine = [p for p in model.parameters() if p.requires_grad]
    if optimizer is None or isinstance(optimizer, KerasOptimizer):
        return mine
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    return [p for p in mine if id(p) in held]


def rate_of(optimizer: Any) -> float:
    """The learning rate now."""
    if isinstance(optimizer, KerasOptimizer):
        return float(np.asarray(array(optimizer.learning_rate)))
    return float(optimizer.param_groups[0]["lr"])


def naive_loss(batch: Batch, passed_loss: float, kind: str, classes: int) -> float:
    """About what a model loses that says the same of every sample."""
    y = batch.y
    if kind == "classes" and classes > 1:
        return float(np.log(classes))
    if kind == "binary":
        return float(np.log(2))
    if isinstance(y, Tensor) and y.dtype.is_floating_point and y.numel():
        return float(np.var(array(y)))
    return passed_loss


def look_at_learning(
    found: Found, trials: Trials, start: float, naive: float, has_optimizer: bool
) -> None:
    """One batch, with the rate as it is, a hundredth, and a hundred times it."""
    now = trials.run(1.0)
    if now is None or (len(now.losses) < 2 * ENDS and now.finite):
        return
    low = min(abs(naive), abs(start)) * 0.02
    found.look(
        "{steps} steps on one batch: loss {start} → {end}", steps=len(now.losses),
        start=now.losses[0], end=now.losses[-1],
    )  # fmt: skip
    begin = float(np.mean(now.losses[:2])) if now.finite else now.losses[0]
    begin = min(begin, start) if np.isfinite(start) else begin
    fell = (begin - now.end) / max(abs(begin), 1e-12)
    grew = now.end > max(1.5 * begin, begin + 0.3 * abs(naive))
    rate = rate_of(trials.optimizer) if has_optimizer else 1e-3
    if now.finite and not grew and (fell > 0.05 or begin <= low):
        if has_optimizer and max(now.losses) > 10 * max(abs(begin), abs(naive)):
            _jumped(found, trials, now, begin, rate)
        return
    if grew or not now.finite or fell < 0.05:
        for factor in (0.1, 0.01, 0.001, 1e-4):
            other = trials.run(factor)
            if other is None:
                return
            better = (begin - other.end) / max(abs(begin), 1e-12)
            needed = 0.005 if grew or not now.finite else max(0.25, 8 * fell)
            if other.finite and better > needed and has_optimizer:
                found.add(
                    "learning rate too high", "error",
                    "with the learning rate {rate} the loss of one batch goes from {start} to "
                    "{end}; with {smaller} it falls to {better}",
                    "Take a learning rate near {smaller}.",
                    rate=rate, start=begin, end=now.end, smaller=rate * factor,
                    better=other.end, losses=_some(now.losses), smaller_losses=_some(other.losses),
                )  # fmt: skip
                return
    if begin < 0.7 * naive or fell > 0.02:  # it has learned already
        return
    best: Trial | None = None
    for factor in (100.0, 1e4, 1e5, 1e6, 1e7):
        other = trials.run(factor)
        if other is None:
            break
        if other.finite and (best is None or other.end < best.end):
            best = other
        if best is not None and (other.end > best.end or best.end < 0.7 * begin):
            break
    gained = 0.0 if best is None else (begin - best.end) / max(abs(begin), 1e-12)
    slow = best is not None and gained > 0.1 and fell < 2e-3 and best.factor >= 100
    if slow and has_optimizer and best is not None:
        found.add(
            "learning rate too low", "error",
            "with the learning rate {rate} the loss of one batch goes from {start} to {end} in "
            "{steps} steps; with {larger} it falls to {better}",
            "Take a learning rate near {larger}.",
            rate=rate, start=begin, end=now.end, steps=len(now.losses),
            larger=rate * best.factor, better=best.end, losses=_some(now.losses),
        )  # fmt: skip
        return
    if max(gained, fell) < 0.02:
        found.add(
            "cannot overfit one batch", "error",
            "{steps} steps on one batch do not bring the loss down, at any learning rate: from "
            "{start} to {end}",
            "Targets may not belong to the inputs, the model may be too small, or gradients do not "
            "arrive: look at the other findings first.",
            steps=len(now.losses), start=begin, end=now.end,
            rates=[rate * f for f in sorted(trials.done)],
        )  # fmt: skip


def _jumped(found: Found, trials: Trials, now: Trial, begin: float, rate: float) -> None:
    """It learns, after a leap to somewhere else."""
    for factor in (0.1, 0.01):
        other = trials.run(factor)
        if other is None or not other.finite:
            return
        if max(other.losses) < 3 * abs(begin) and other.end < 0.98 * begin:
            found.add(
                "learning rate too high", "warning",
                "with the learning rate {rate} the loss of one batch leaps from {start} to {peak} "
                "before it falls; with {smaller} it falls to {better} at once",
                "Take a learning rate near {smaller}, or begin with a smaller one (warm-up).",
                rate=rate, start=begin, peak=max(now.losses), smaller=rate * factor,
                better=other.end, losses=_some(now.losses),
            )  # fmt: skip
            return


def _some(losses: list[float]) -> list[float]:
    """A curve, in a few numbers."""
    at = np.unique(np.linspace(0, len(losses) - 1, 8).astype(int))
    return [float(f"{losses[i]:.4g}") for i in at]
