"""L-BFGS: Newton's method with the curvature of the last steps. For full batches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chainrule.optim._base import check_lr, read
from chainrule.optim._line_search import Point, strong_wolfe
from chainrule.optim.optimizer import Closure, Optimizer, Params, State
from chainrule.tensor import Tensor, enable_grad, no_grad
from chainrule.tensor.creation import varying, zeros
from chainrule.tensor.functions import cat


class LBFGS(Optimizer):
    """Quasi-Newton: θ ← θ + t · d, d = -H g, H from the last `history_size` changes of θ and g.

    `step(closure)` makes up to `max_iter` iterations and `max_eval` evaluations of the loss, so
    closure must clear gradients, compute the loss, call backward and return it. t is `lr`, or, with
    `line_search_fn="strong_wolfe"`, found by line search. Ends when the largest gradient is below
    `tolerance_grad` or the change of θ or of the loss below `tolerance_change`. One parameter
    group only. Liu and Nocedal, "On the limited memory BFGS method", 1989.

    >>> from chainrule.tensor.creation import tensor
    >>> w = tensor([-1.5, 2.0], dtype="float64", requires_grad=True)
    >>> optimizer = LBFGS([w], line_search_fn="strong_wolfe", max_iter=100)
    >>> def closure():  # Rosenbrock's valley, lowest at (1, 1)
    ...     optimizer.zero_grad()
    ...     loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> _ = optimizer.step(closure)
    >>> [round(x, 4) for x in w.tolist()]
    [1.0, 1.0]
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_lr(lr)
        defaults: dict[str, Any] = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    def step(self, closure: Closure | None = None) -> Any:
        """Iterate; return the loss before. `closure` is not optional here."""
        if closure is None:
            raise TypeError(
                "LBFGS.step() needs a closure that clears gradients, computes the loss, calls "
                "backward() and returns the loss: it looks at the loss several times a step"
            )
        with no_grad():
            return self._iterate(closure)

    def _iterate(self, closure: Closure) -> Any:
        group = self.param_groups[0]
        lr, flattest = read(group["lr"]), group["tolerance_grad"]
        least = group["tolerance_change"]
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported")

        # the state is global: the first parameter has it, so that loading casts its tensors
        state = self.state[group["params"][0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        first_loss = self._loss(closure)
        loss, g = float(first_loss), self._gradient()
        evaluations = 1
        state["func_evals"] += 1
        if _largest(g) <= flattest:
            return first_loss

        for i in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            first = state["n_iter"] == 1
            d = state["d"] = _direction(state, g, group["history_size"])
            state["prev_flat_grad"], state["prev_loss"] = g, loss
            before = loss
            t = state["t"] = (min(1.0, 1.0 / g.abs().sum().item()) if first else 1.0) * lr
            slope = _dot(g, d)
            if slope > -least:
                break

            more = 0
            if group["line_search_fn"] is not None:
                found, more = self._search(
                    closure,
                    Point(0.0, loss, g, slope),
                    t,
                    d,
                    tolerance_change=1e-9,
                    max_ls=group["max_eval"] - evaluations,
                )
                loss, g = found.loss, found.grad
                t = state["t"] = found.t
                self._move(t, d)
            else:
                self._move(t, d)
                if i != group["max_iter"]:  # the last gradient would not be used
                    loss, g = float(self._loss(closure)), self._gradient()
                    more = 1
            evaluations += more
            state["func_evals"] += more
            if (
                i == group["max_iter"]
                or evaluations >= group["max_eval"]
                or _largest(g) <= flattest
                or _largest(d) * t <= least
                or abs(loss - before) < least
            ):
                break
        return first_loss

    def _loss(self, closure: Closure) -> Any:
        with enable_grad():
            return closure()

    def _gradient(self) -> Tensor:
        """All gradients as one vector, zeros for parameters without one."""
        parts = [
            zeros(p.numel(), dtype=p.dtype) if p.grad is None else p.grad.reshape(-1)
            for p in self.param_groups[0]["params"]
        ]
        return cat(parts).detach().clone()

    def _move(self, t: float, d: Tensor) -> None:
        start = 0
        for p in self.param_groups[0]["params"]:
            part = d[start : start + p.numel()].reshape(p.shape)
            p.copy_(_plus(p, t, part))
            start += p.numel()

    def _search(
        self, closure: Closure, start: Point, t: float, d: Tensor, **limits: Any
    ) -> tuple[Point, int]:
        here = [p.clone() for p in self.param_groups[0]["params"]]

        def evaluate(t: float) -> Point:
            self._move(t, d)
            loss, g = float(self._loss(closure)), self._gradient()
            for p, old in zip(self.param_groups[0]["params"], here, strict=True):
                p.copy_(old)
            return Point(t, loss, g, _dot(g, d))

        return strong_wolfe(evaluate, start, t, _largest(d), **limits)


def _direction(state: State, g: Tensor, history_size: int) -> Tensor:
    """-H g by the two loops of Nocedal 1980; first takes the last step into the history.

    The history is of pairs s = Δθ, y = Δg with ro = 1 / (y · s); H begins as (y · s) / (y · y).
    """
    if state["n_iter"] == 1:
        state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
        return -g
    changes, steps, weights = state["old_dirs"], state["old_stps"], state["ro"]
    y = g - state["prev_flat_grad"]
    s = _plus(None, read(state["t"]), state["d"])
    ys = _dot(y, s)
    if ys > 1e-10:
        if len(changes) == history_size:
            for history in (changes, steps, weights):
                history.pop(0)
        changes.append(y)
        steps.append(s)
        weights.append(1.0 / ys)
        state["H_diag"] = ys / _dot(y, y)

    q = -g
    alphas = []
    for y, s, weight in _backwards(changes, steps, weights):
        alphas.append(_dot(s, q) * read(weight))
        q = _plus(q, -alphas[-1], y)
    d = _plus(None, read(state["H_diag"]), q)
    for y, s, weight, alpha in zip(changes, steps, weights, reversed(alphas), strict=True):
        d = _plus(d, alpha - _dot(y, d) * read(weight), s)
    return d


def _backwards(*lists: list[Any]) -> Iterable[tuple[Any, ...]]:
    return reversed(list(zip(*lists, strict=True)))


def _plus(x: Tensor | None, a: float, y: Tensor) -> Tensor:
    """x + a · y; `a` is data, so that every iteration finds the same small program."""
    scaled = varying(a, y.dtype) * y
    return scaled if x is None else x + scaled


def _dot(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum().item())


def _largest(x: Tensor) -> float:
    return float(x.abs().max().item())
