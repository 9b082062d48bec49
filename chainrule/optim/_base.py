"""What the optimisers of this room share: the walk of one step, numbers, and checks.

An optimiser is a formula and a few numbers. The formula of one parameter's update is a pure
function of graph nodes (`chainrule.ops.updates`); this room keeps its tensors. `FormulaOptimizer`
walks over the parameters that have a gradient and asks its subclass for two things only: the first
state of a parameter, and the recording of its update.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from chainrule import dtypes
from chainrule.optim.optimizer import Closure, Group, Optimizer, Params, State
from chainrule.tensor import Tensor, enable_grad, no_grad
from chainrule.tensor.creation import varying
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.functions import view_as_real
from chainrule.tensor.mutate import count_up

#: A parameter, its gradient, its state.
Member: TypeAlias = tuple[Tensor, Tensor, State]

_HALVES = (dtypes.float16, dtypes.bfloat16)


class Numbers:
    """The numbers of one step, as 0-d tensors: data of the recorded program, not constants of it.

    A learning rate that a schedule changes, or a bias correction, must not make a new program.
    Parameters of one group that need the same number share one tensor, so that it is made once.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[int, str, float, Any], Tensor] = {}
        self.group = 0

    def __call__(self, param: Tensor, **values: float) -> tuple[Tensor, ...]:
        """The named values, in order, in the precision in which `param` is updated."""
        dtype = precision(param)
        return tuple(self._number(name, value, dtype) for name, value in values.items())

    def _number(self, name: str, value: float, dtype: Any) -> Tensor:
        key = (self.group, name, value, dtype)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = varying(value, dtype)
        return made


def precision(param: Tensor) -> dtypes.DType:
    """The element type in which a parameter is updated."""
    return dtypes.float32 if param._dtype in _HALVES else param._dtype


class FormulaOptimizer(Optimizer):
    """An optimiser whose step applies one formula to each parameter that has a gradient."""

    #: Entries of a parameter's state that are single numbers. Old checkpoints hold plain floats.
    numbers_in_state: ClassVar[tuple[str, ...]] = ("step",)
    #: Values of options that checkpoints of older versions lack.
    options_of_old: ClassVar[dict[str, Any]] = {
        "maximize": False,
        "foreach": None,
        "capturable": False,
        "differentiable": False,
        "fused": None,
    }

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        if defaults.get("fused"):
            if defaults.get("differentiable"):
                raise RuntimeError("`fused` does not support `differentiable`")
            if defaults.get("foreach"):
                raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
        if defaults.get("differentiable"):
            raise NotImplementedError(
                f"{type(self).__name__}(differentiable=True) is not available: step() runs under "
                "no_grad. To differentiate through an update, write it as an expression: "
                "p_new = p - lr * grad."
            )
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self.options_of_old.items():
                if name in self.defaults:
                    group.setdefault(name, value)
            for p in group["params"]:
                entry = self.state.get(p, {})
                for name in self.numbers_in_state:
                    if name in entry and not isinstance(entry[name], Tensor):
                        entry[name] = number(float(entry[name]))

    def step(self, closure: Closure | None = None) -> Any:
        """Update every parameter that has a gradient.

        `closure`, if given, is called first with gradients enabled; its result is returned.
        """
        loss = None
        with no_grad():
            if closure is not None:
                with enable_grad():
                    loss = closure()
            numbers = Numbers()
            for i, group in enumerate(self.param_groups):
                numbers.group = i
                members = [
                    (p, p._grad, self._state_of(p, group))
                    for p in group["params"]
                    if p._grad is not None
                ]
                parts = [m for m in members if m[0]._dtype.category == dtypes.COMPLEX]
                if parts:
                    members = [m for m in members if m[0]._dtype.category != dtypes.COMPLEX]
                    self._update_parts(parts, group, numbers)
                if members:
                    self._update_group(members, group, numbers)
        return loss

    def _update_parts(self, members: list[Member], group: Group, numbers: Numbers) -> None:
        """Complex parameters are updated as pairs of real ones: all of this are views of them."""
        seen = [
            (view_as_real(p), view_as_real(g), {k: _real_view(v) for k, v in state.items()})
            for p, g, state in members
        ]
        self._update_group(seen, group, numbers)
        for (_, _, state), (_, _, views) in zip(members, seen, strict=True):
            state.update({k: v for k, v in views.items() if not _is_complex(state.get(k))})

    def _state_of(self, p: Tensor, group: Group) -> State:
        state = self.state.get(p)
        if not state:
            state = self._first_state(p, group)
            if state:  # plain SGD keeps none, and says so in its state_dict
                self.state[p] = state
        return state

    def _first_state(self, p: Tensor, group: Group) -> State:
        """The state of a parameter before its first update."""
        raise NotImplementedError

    def _update_group(self, members: list[Member], group: Group, numbers: Numbers) -> None:
        """Record the update of the parameters of a group that have a gradient.

        One by one, unless a subclass knows that they share their numbers (`update_rows`).
        """
        for p, g, state in members:
            self._update(p, g, state, group, numbers)

    def _update(self, p: Tensor, g: Tensor, state: State, group: Group, numbers: Numbers) -> None:
        """Record the update of one parameter."""
        raise NotImplementedError


def _is_complex(v: Any) -> bool:
    return isinstance(v, Tensor) and v.dtype.is_complex


def _real_view(v: Any) -> Any:
    return view_as_real(v) if _is_complex(v) else v


def filled(p: Tensor, value: float = 0.0, shape: tuple[int, ...] | None = None) -> Tensor:
    """First state of `p`: one value everywhere, in its dtype and, unless given, its shape.

    An array rather than a recorded constant: so the first step is the same program as the others.
    """
    start = complex(value, value) if p.dtype.is_complex else value  # in both parts
    return from_owned(np.full(p.shape if shape is None else shape, start, p.dtype.np))


def number(value: float) -> Tensor:
    """A 0-d tensor of state (a count of steps), float32 unless the default dtype is float64."""
    return varying(value, _number_dtype())


def _number_dtype() -> Any:
    wide = dtypes.get_default_dtype() == dtypes.float64
    return dtypes.float64 if wide else dtypes.float32


def read(value: float | Tensor) -> float:
    """The Python number of an option or of a 0-d tensor of state."""
    return float(value.item()) if isinstance(value, Tensor) else value


def write(state: State, name: str, value: float, times: float = 1.0) -> float:
    """Set a number of the state to `value * times`, computed and rounded in the state's dtype."""
    dtype = state[name].dtype
    result = float(dtype.np.type(value) * dtype.np.type(times))
    state[name] = varying(result, dtype)
    return result


def next_step(state: State) -> float:
    """Count one more step of a parameter; return the count, which begins with 1."""
    return count_up(state["step"]) or write(state, "step", read(state["step"]) + 1)


def rows_by_step(
    members: list[Member], names: Sequence[str]
) -> dict[tuple[float, dtypes.DType], list[tuple[Tensor, ...]]]:
    """Rows of parameter, named state, gradient, under the number of this step and the type of the
    numbers that they share. Counts the step.
    """
    rows: dict[tuple[float, dtypes.DType], list[tuple[Tensor, ...]]] = {}
    for p, g, state in members:
        step, dtype = count_up(state["step"]) or next_step(state), p._dtype
        key = (step, dtypes.float32 if dtype in _HALVES else dtype)
        row = (p, *[state[name] for name in names], g)
        some = rows.get(key)
        if some is None:
            rows[key] = [row]
        else:
            some.append(row)
    return rows


def decay_of(group: Group, lr: float) -> tuple[str, float]:
    """Weight decay as the update formulas want it: its kind (an attribute) and a number (data).

    "l2" adds λ·p to the gradient; "decoupled" multiplies p by 1 - lr·λ first.
    """
    decay = read(group["weight_decay"])
    if decay == 0:
        return "none", 0.0
    if group.get("decoupled_weight_decay", False):
        return "decoupled", 1 - lr * decay
    return "l2", decay


# -------------------------------------------------------------------- checking hyper-parameters


def require(holds: Any, message: str) -> None:
    """Raise ValueError with `message` unless the condition holds."""
    if not holds:
        raise ValueError(message)


def check_lr(lr: float | Tensor, message: str = "Invalid learning rate:") -> None:
    """A learning rate is a number, or a tensor of one element, and not negative."""
    if isinstance(lr, Tensor):
        require(lr.numel() == 1, "Tensor lr must be 1-element")
    require(lr >= 0.0, f"{message} {lr}")


def check_betas(betas: Any) -> None:
    """Decay rates of moving averages lie in [0, 1)."""
    for i in (0, 1):
        require(0.0 <= betas[i] < 1.0, f"Invalid beta parameter at index {i}: {betas[i]}")


def check_not_negative(**values: float) -> None:
    """`Invalid NAME value: ...` for each value below zero (or not a number)."""
    for name, value in values.items():
        shown = "epsilon" if name == "eps" else name
        require(value >= 0.0, f"Invalid {shown} value: {value}")
