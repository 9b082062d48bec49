"""What all optimisers share: groups of parameters, their state, hooks, and the walk of one step.

An optimiser is a formula and a few numbers. The formula of one parameter's update is a pure
function of graph nodes (`chainrule.ops.updates`); this room keeps its tensors. `Optimizer` is
PyTorch's class of the same name, for users who write their own `step`. `FormulaOptimizer` walks
over the parameters that have a gradient and asks its subclass for two things only: the first
state of a parameter, and the recording of its update.
"""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any, ClassVar, TypeAlias

import numpy as np

from chainrule import dtypes
from chainrule.nn.modules.hooks import RemovableHandle
from chainrule.tensor import Tensor, enable_grad, flush, no_grad
from chainrule.tensor.creation import from_owned, varying

Group: TypeAlias = dict[str, Any]
State: TypeAlias = dict[str, Any]
Closure: TypeAlias = Callable[[], Any]
Params: TypeAlias = Iterable[Tensor] | Iterable[Group] | Iterable[tuple[str, Tensor]]

_HALVES = (dtypes.float16, dtypes.bfloat16)

_every_pre_hook: OrderedDict[int, Callable[..., Any]] = OrderedDict()
_every_post_hook: OrderedDict[int, Callable[..., Any]] = OrderedDict()


class _Required:
    """The default of an option that every parameter group must name itself."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` before every step of every optimiser.

    The hook may return `(args, kwargs)` to replace the arguments of the step.
    """
    return _add_hook(_every_pre_hook, hook)


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` after every step of every optimiser."""
    return _add_hook(_every_post_hook, hook)


def _add_hook(
    hooks: OrderedDict[int, Callable[..., Any]], hook: Callable[..., Any], prepend: bool = False
) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def _hooked(step: Callable[..., Any]) -> Callable[..., Any]:
    """Surround a `step` method by the hooks, and compute at its end what it has recorded."""

    @functools.wraps(step)
    def wrapper(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        self._opt_called = True
        for hook in chain(_every_pre_hook.values(), self._optimizer_step_pre_hooks.values()):
            changed = hook(self, args, kwargs)
            if changed is None:
                continue
            if not (isinstance(changed, tuple) and len(changed) == 2):
                raise RuntimeError(
                    f"{step} must return None or a tuple of (new_args, new_kwargs), "
                    f"but got {changed}."
                )
            args, kwargs = changed
        result = step(self, *args, **kwargs)
        flush()
        for hook in chain(self._optimizer_step_post_hooks.values(), _every_post_hook.values()):
            hook(self, args, kwargs)
        return result

    wrapper.hooked = True  # type: ignore[attr-defined]  # a mark that schedulers look for
    return wrapper


class Optimizer:
    """Base class of all optimisers: parameter groups, state per parameter, hooks.

    `params` is an iterable of tensors, of `(name, tensor)` pairs or of dicts, one per group, each
    with its tensors under "params" and with options of its own; `defaults` are the options that a
    group does not name. A subclass defines `step`.

    >>> from chainrule.optim import SGD
    >>> from chainrule.tensor.creation import tensor
    >>> w = tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = SGD([{"params": [w], "lr": 0.5}], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [0.0, 0.0]
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        step = cls.__dict__.get("step")
        if step is not None and not hasattr(step, "hooked"):
            cls.step = _hooked(step)  # type: ignore[method-assign]

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of "
                f"Tensors or dicts, but got {_typename(params)}"
            )
        self.defaults = defaults
        self.state: defaultdict[Any, State] = defaultdict(dict)
        self.param_groups: list[Group] = []
        self._make_hooks()

        groups: list[Any] = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _make_hooks(self) -> None:
        self._opt_called = False
        self._optimizer_step_pre_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._optimizer_step_post_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._state_dict_post_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._load_state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._load_state_dict_post_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {
            "defaults": self.defaults,
            "state": self.state,
            "param_groups": self.param_groups,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if "_optimizer_step_pre_hooks" not in self.__dict__:  # unpickled: no __init__ before
            self._make_hooks()
        self.defaults.setdefault("differentiable", False)

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            lines += ["", f"Parameter Group {i}"]
            lines += [f"    {k}: {group[k]}" for k in sorted(group) if k != "params"]
        return f"{type(self).__name__} (" + "\n".join(lines) + "\n)"

    def step(self, closure: Closure | None = None) -> Any:
        """Change the parameters once. `closure` clears gradients, computes the loss, returns it."""
        raise NotImplementedError(f"{type(self).__name__} defines no step()")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill them with zeros."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if set_to_none:
                    p.grad = None
                    continue
                if p.grad.requires_grad:  # of a backward with create_graph=True
                    p.grad = p.grad.detach()
                p.grad.zero_()

    def add_param_group(self, param_group: Group) -> None:
        """Add a group of parameters, e.g. layers that are no longer frozen.

        Options that the group does not name are taken from `defaults`. Raises TypeError for what is
        no tensor, ValueError for a tensor that is the result of a computation, or already in
        another group.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        tensors, names = _tensors_and_names(param_group["params"])
        param_group["params"] = tensors
        if names:
            param_group["param_names"] = names

        for tensor in tensors:
            if not isinstance(tensor, Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, but one of the params is "
                    + _typename(tensor)
                )
            if not (tensor.is_leaf or tensor.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    "parameter group didn't specify a value of required "
                    f"optimization parameter {name}"
                )
            param_group.setdefault(name, default)

        ours = {id(p) for p in tensors}
        if len(ours) != len(tensors):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; "
                "in future, this will cause an error",
                stacklevel=3,
            )
        for group in self.param_groups:
            if ("param_names" in param_group) != ("param_names" in group):
                which = "with names" if "param_names" in param_group else "without names"
                raise ValueError(
                    "all optimizer param groups should be with/without names. "
                    f"cannot add param group {which} to the optimizer"
                )
            if any(id(p) in ours for p in group["params"]):
                raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(param_group)

    # ---------------------------------------------------------------- saving and loading

    def state_dict(self) -> dict[str, Any]:
        """`{"state": {index: {...}}, "param_groups": [...]}`; parameters are named by their index.

        The format is PyTorch's, with our tensors for its tensors.
        """
        for hook in self._state_dict_pre_hooks.values():
            hook(self)
        index: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for p in group["params"]:
                index.setdefault(id(p), len(index))
            packed = {k: v for k, v in group.items() if k != "params"}
            packed["params"] = [index[id(p)] for p in group["params"]]
            groups.append(packed)
        state = {index[id(k)] if isinstance(k, Tensor) else k: v for k, v in self.state.items()}
        result = {"state": state, "param_groups": groups}
        for hook in self._state_dict_post_hooks.values():
            changed = hook(self, result)
            result = result if changed is None else changed
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over options and state from a dict that `state_dict` returned.

        State is copied, and cast to the dtype of its parameter (not so the count "step"). Raises
        ValueError when the groups differ in number or size.
        """
        state_dict = state_dict.copy()
        for hook in self._load_state_dict_pre_hooks.values():
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed

        groups, saved = self.param_groups, deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(g["params"]) != len(s["params"]) for g, s in zip(groups, saved, strict=True)):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of "
                "optimizer's group"
            )
        params = {
            i: p
            for g, s in zip(groups, saved, strict=True)
            for i, p in zip(s["params"], g["params"], strict=True)
        }
        state: defaultdict[Any, State] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in params:
                state[params[key]] = _like_param(params[key], value)
            else:
                state[key] = value
        for group, new in zip(groups, saved, strict=True):
            new["params"] = group["params"]
            if "param_names" in group:
                new.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in self._load_state_dict_post_hooks.values():
            hook(self)

    # ---------------------------------------------------------------- hooks

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before a step; it may return new arguments."""
        return _add_hook(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after a step."""
        return _add_hook(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` before `state_dict`."""
        return _add_hook(self._state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` after `state_dict`; it may return another dict."""
        return _add_hook(self._state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before loading; it may return another dict."""
        return _add_hook(self._load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` after loading."""
        return _add_hook(self._load_state_dict_post_hooks, hook, prepend)


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
        dtype = dtypes.float32 if param.dtype in _HALVES else param.dtype
        return tuple(self._number(name, value, dtype) for name, value in values.items())

    def _number(self, name: str, value: float, dtype: Any) -> Tensor:
        key = (self.group, name, value, dtype)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = varying(value, dtype)
        return made


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
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    state = self._state_of(p, group)
                    self._update(p, p.grad, state, group, numbers)
        return loss

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

    def _update(self, p: Tensor, g: Tensor, state: State, group: Group, numbers: Numbers) -> None:
        """Record the update of one parameter."""
        raise NotImplementedError


def filled(p: Tensor, value: float = 0.0, shape: tuple[int, ...] | None = None) -> Tensor:
    """First state of `p`: one value everywhere, in its dtype and, unless given, its shape.

    An array rather than a recorded constant: so the first step is the same program as the others.
    """
    return from_owned(np.full(p.shape if shape is None else shape, value, p.dtype.np))


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
    return write(state, "step", read(state["step"]) + 1)


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


# -------------------------------------------------------------------- helpers


def _typename(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _tensors_and_names(params: Any) -> tuple[list[Any], list[str]]:
    if isinstance(params, Tensor):
        return [params], []
    if isinstance(params, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering "
            "of tensors in sets will change between runs. Please use a list instead."
        )
    params = list(params)
    names = [p[0] for p in params if isinstance(p, tuple)]
    if names and len(names) != len(params):
        raise ValueError(
            "all optimizer params should be with/without names. Some param names are missing"
        )
    return [p[1] if isinstance(p, tuple) else p for p in params], names


def _like_param(param: Tensor, value: Any, key: Any = None) -> Any:
    """A copy of `value` in which tensors have the dtype of `param`, but for the count "step"."""
    if isinstance(value, Tensor):
        copy = value.detach().clone()
        return copy.to(param.dtype) if key != "step" and param.is_floating_point() else copy
    if isinstance(value, dict):
        return {k: _like_param(param, v, k) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_like_param(param, v) for v in value)
    return value
