"""Calling a layer: its hooks, and what an error says about where it happened.

    layer(x)  =  forward pre-hooks → backward watch on the inputs → forward
                 → forward hooks → backward watch on the output

Without hooks a call is `forward` and four looks at empty tables. When `forward` raises, the
exception gets one note (see `telling`) with the path of the innermost layer, which grows at its
left while the exception climbs: `Linear`, `features.3`, `Net.features.3`.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from threading import get_ident
from typing import Any

from chainrule import meaning
from chainrule.errors import ShapeError
from chainrule.lines import users_lines
from chainrule.nn.modules.hooks import Hook, RemovableHandle, shared, shared_hooks
from chainrule.nn.modules.registry import AnyModule, Registry
from chainrule.nn.parameter import is_lazy
from chainrule.telling import tell, told
from chainrule.tensor import Tensor, is_grad_enabled, witness
from chainrule.tensor.backward import custom_function


class Hooked(Registry):
    """The call of a layer and its hooks. Abstract: a part of `Module`."""

    _forward_pre_hooks: OrderedDict[int, Hook]
    _forward_pre_hooks_with_kwargs: OrderedDict[int, bool]
    _forward_hooks: OrderedDict[int, Hook]
    _forward_hooks_with_kwargs: OrderedDict[int, bool]
    _forward_hooks_always_called: OrderedDict[int, bool]
    _backward_pre_hooks: OrderedDict[int, Hook]
    _backward_hooks: OrderedDict[int, Hook]

    @property
    def _takes(self) -> Mapping[str, str | Sequence[str]]:
        """What the axes of its arguments mean (see `meaning`): for errors."""
        return {}

    @property
    def _weighs(self) -> Mapping[str, str]:
        """What the axes of its weights mean."""
        return {}

    def _in_a_row(self) -> list[tuple[str, AnyModule]]:
        """The layers that are called one after another, by their names: of a `Sequential`."""
        return []

    _instead = ""  # what a class without a forward would rather have done with it

    def _forward_unimplemented(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
            + self._instead
        )

    # An attribute and no method, so that a type checker lets subclasses choose their arguments.
    forward: Any = _forward_unimplemented

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if witness.present and (seen := witness.present.get(get_ident())) is not None:
                return seen.call(self._call_with_hooks, self, args, kwargs)
            if (
                self._forward_hooks
                or self._forward_pre_hooks
                or self._backward_hooks
                or self._backward_pre_hooks
                or shared_hooks
            ):
                return self._call_with_hooks(*args, **kwargs)
            return self.forward(*args, **kwargs)
        except Exception as error:
            add_layer_note(error, self, args, kwargs)
            raise

    def _call_with_hooks(self, *args: Any, **kwargs: Any) -> Any:
        hooks = self._own_forward_hooks()
        called: set[int] = set()
        result = None
        try:
            args, kwargs = self._run_pre_hooks(args, kwargs)
            watch = self._backward_watch()
            if watch is not None:
                args = watch.inputs(args)
            result = self.forward(*args, **kwargs)
            for number, hook, with_kwargs, _ in hooks:
                called.add(number)
                answer = hook(self, args, *([kwargs] if with_kwargs else []), result)
                result = result if answer is None else answer
            return result if watch is None else watch.output(result)
        except Exception:
            for number, hook, with_kwargs, always in hooks:
                if always and number not in called:
                    try:
                        answer = hook(self, args, *([kwargs] if with_kwargs else []), result)
                        result = result if answer is None else answer
                    except Exception as error:  # the first error is the one to report
                        warnings.warn(
                            "module forward hook with ``always_call=True`` raised an exception "
                            f"that was silenced as another error was raised in forward: {error!s}",
                            stacklevel=2,
                        )
            raise

    def _own_forward_hooks(self) -> list[tuple[int, Hook, bool, bool]]:
        """(number, hook, with_kwargs, always_call), the shared hooks first."""
        all_layers = [(n, h.call, h.with_kwargs, h.always_call) for n, h in shared("forward")]
        own = [
            (n, h, n in self._forward_hooks_with_kwargs, n in self._forward_hooks_always_called)
            for n, h in self._forward_hooks.items()
        ]
        return all_layers + own

    def _run_pre_hooks(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        hooks = [(n, hook.call) for n, hook in shared("forward_pre")]
        for number, hook in (*hooks, *self._forward_pre_hooks.items()):
            if number in self._forward_pre_hooks_with_kwargs:
                answer = hook(self, args, kwargs)
                if answer is None:
                    continue
                if not (isinstance(answer, tuple) and len(answer) == 2):
                    raise RuntimeError(
                        "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                        f"but got {answer}."
                    )
                args, kwargs = answer
            else:
                answer = hook(self, args)
                if answer is not None:
                    args = answer if isinstance(answer, tuple) else (answer,)
        return args, kwargs

    def _backward_watch(self) -> _BackwardWatch | None:
        before = [hook.call for _, hook in shared("backward_pre")]
        after = [hook.call for _, hook in shared("backward")]
        before += self._backward_pre_hooks.values()
        after += self._backward_hooks.values()
        return _BackwardWatch(self, before, after) if before or after else None

    # ---- registration of hooks ---------------------------------------------------------------

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Run `hook(module, args)` before `forward`; an answer replaces the positional arguments.

        `with_kwargs=True`: `hook(module, args, kwargs)`, and the answer is a pair. `prepend=True`:
        before the others.
        """
        extra = self._forward_pre_hooks_with_kwargs
        handle = _add(self._forward_pre_hooks, hook, prepend, [extra])
        if with_kwargs:
            extra[handle.id] = True
        return handle

    def register_forward_hook(
        self,
        hook: Hook,
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Run `hook(module, args, output)` after `forward`; an answer replaces the output.

        `with_kwargs=True`: `hook(module, args, kwargs, output)`. `always_call=True`: also when
        `forward` raises (the output is None then).
        """
        kwargs_table, always_table = (
            self._forward_hooks_with_kwargs,
            self._forward_hooks_always_called,
        )
        handle = _add(self._forward_hooks, hook, prepend, [kwargs_table, always_table])
        if with_kwargs:
            kwargs_table[handle.id] = True
        if always_call:
            always_table[handle.id] = True
        return handle

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Run `hook(module, grad_output)` when the gradients of the outputs are known; an answer (a
        tuple) replaces them.
        """
        return _add(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Run `hook(module, grad_input, grad_output)` when the gradients of the inputs are known;
        an answer (a tuple) replaces them.

        Both are tuples with None for what is no tensor or needs no gradient; keyword arguments are
        not watched.
        """
        return _add(self._backward_hooks, hook, prepend)

    def register_backward_hook(self, hook: Hook) -> RemovableHandle:
        """The old name of `register_full_backward_hook`."""
        return self.register_full_backward_hook(hook)


def _add(
    table: OrderedDict[int, Hook], hook: Hook, prepend: bool, extra: list[Any] | None = None
) -> RemovableHandle:
    handle = RemovableHandle(table, extra_dict=extra)
    table[handle.id] = hook
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle


# ---- backward hooks --------------------------------------------------------------------------


class _BackwardWatch:
    """A call's backward hooks: gathers the output gradients, then gives both sides to the hooks."""

    def __init__(self, module: AnyModule, before: list[Hook], after: list[Hook]) -> None:
        self.module, self.before, self.after = module, before, after
        self.input_count = 0
        self.inputs_watched = False
        self.grad_output: tuple[Any, ...] | None = None

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        self.input_count = len(args)
        places, watched = _observed(args, self._after_inputs)
        self.inputs_watched = bool(places)
        return tuple(watched)

    def output(self, result: Any) -> Any:
        if not isinstance(result, (Tensor, tuple)):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of "
                f"Tensors but received {type(result)}",
                stacklevel=4,
            )
            return result
        values = result if isinstance(result, tuple) else (result,)
        _, watched = _observed(values, self._after_output)
        if not isinstance(result, tuple):
            return watched[0]
        if hasattr(result, "_fields"):  # a named tuple takes its values one by one
            return type(result)(*watched)
        return tuple(watched)

    def _after_output(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in self.before:
            answer = hook(self.module, grads)
            if answer is not None:
                grads = _replacement("Backward pre hook", "grad_output", answer, grads)
        self.grad_output = grads
        if not self.inputs_watched:
            warnings.warn(
                "Full backward hook is firing when gradients are computed with respect to module "
                "outputs since no inputs require gradients.",
                stacklevel=2,
            )
            nothing = (None,) * self.input_count
            for hook in self.after:
                answer = hook(self.module, nothing, grads)
                if answer is not None and any(value is not None for value in answer):
                    raise RuntimeError(
                        "Backward hook for Modules where no input requires gradient should always "
                        "return None or None for all gradients."
                    )
        return grads

    def _after_inputs(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        if self.grad_output is None:  # a gradient that did not come through the output
            return grads
        for hook in self.after:
            answer = hook(self.module, grads, self.grad_output)
            if answer is not None:
                grads = _replacement("Backward hook", "grad_input", answer, grads)
        self.grad_output = None
        return grads


def _replacement(hook: str, what: str, answer: Any, expected: tuple[Any, ...]) -> tuple[Any, ...]:
    answer = (answer,) if isinstance(answer, Tensor) else tuple(answer)
    if len(answer) != len(expected):
        raise RuntimeError(
            f"{hook} returned an invalid number of {what}, got {len(answer)}, "
            f"but expected {len(expected)}"
        )
    return answer


def _observed(values: Sequence[Any], receive: Any) -> tuple[list[int], list[Any]]:
    """The values, those that need a gradient behind a boundary, and the places of these.

    The gradients of a boundary's outputs go through `receive` on their way to its inputs: it gets
    and gives a tuple over all values, with None for what needs no gradient.
    """
    places = [i for i, value in enumerate(values) if _needs_gradient(value)]
    if not (places and is_grad_enabled()):
        return [], list(values)

    def through(grads: Sequence[Any]) -> list[Any]:
        full: list[Any] = [None] * len(values)
        for place, grad in zip(places, grads, strict=True):
            full[place] = grad
        answer = receive(tuple(full))
        return [answer[place] for place in places]

    out = list(values)
    inner = [values[i] for i in places]
    for place, tensor in zip(places, custom_function(through, inner, inner), strict=True):
        out[place] = tensor
    return places, out


def _needs_gradient(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


# ---- where an error happened -----------------------------------------------------------------


def add_layer_note(
    error: Exception, module: AnyModule, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Say on `error` which layer it comes from; called by every layer that the error passes."""
    parts = told(error)
    root = type(module).__name__
    if parts.layer is module:
        return
    if parts.layer is not None:
        below = _path_below(module, parts.layer)
        before, gives = f"{below}{parts.before}", parts.gives
        if not parts.before:
            before, gives = _before(module, parts.layer, args)
        tell(error, layer=module, root=root, path=below + parts.path, before=before, gives=gives)
        return
    axes = _axes(module, args, kwargs)
    problem, repair = _diagnosis(module, args, kwargs, axes) if _is_of_axes(error) else ("", "")
    tell(
        error,
        layer=module,
        root=root,
        said=_said(module) + _given(module, args, kwargs, axes),
        problem=problem,
        repair=repair or parts.repair,
        lines=parts.lines or users_lines(),
    )


def _is_of_axes(error: Exception) -> bool:
    return isinstance(error, (ShapeError, ValueError, AssertionError))


def _path_below(module: AnyModule, inner: AnyModule) -> str:
    for path, below in module.named_modules():
        if below is inner:
            return f".{path}"
    return f" → {type(inner).__name__}"  # called, but not registered: kept in a plain list, say


def _before(module: AnyModule, inner: AnyModule, args: tuple[Any, ...]) -> tuple[str, str]:
    """Of layers in a row: the path of the one before, and what it is."""
    row = module._in_a_row()
    for (name, layer), (_, after) in pairwise(row):
        if after is inner:
            return f".{name}", type(layer).__name__
    return "", ""


def _said(module: AnyModule) -> str:
    try:
        text = repr(module)
    except Exception:  # a broken extra_repr must not hide the error that is being reported
        return ""
    return "" if "\n" in text else f": {text}"


def _axes(
    module: AnyModule, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, tuple[Tensor, meaning.Axes]]:
    """The arguments whose axes the layer names."""
    takes = module._takes
    if not takes:
        return {}
    named = {**dict(zip(takes, args, strict=False)), **kwargs}
    return {
        name: (x, meaning.fitting(takes[name], module, x.ndim))
        for name, x in named.items()
        if name in takes and isinstance(x, Tensor) and not is_lazy(x)
    }


def _diagnosis(
    module: AnyModule,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    axes: dict[str, tuple[Tensor, meaning.Axes]],
) -> meaning.Wrong:
    """What does not fit about the arguments."""
    for x, asked in axes.values():
        if asked.after and not asked.sizes:  # it only names axes
            continue
        found = meaning.wrong(x.shape, asked, maker=partial(_made_for, module, asked))
        kin = re.fullmatch(r"(\w+)[123]d", type(module).__name__)
        if found.problem and not found.repair and kin and 2 <= x.ndim <= 5:
            there = f"nn.{kin[1]}{max(x.ndim - 2, 1)}d takes inputs of {x.ndim} axes"
            return found._replace(repair=there)
        if found.problem:
            return found
    return meaning.Wrong()


def _made_for(module: AnyModule, axes: meaning.Axes, name: str, n: int) -> str | None:
    """A call that makes a layer like this for another size: `nn.Linear(30, 10)`."""
    attribute = axes.attributes.get(name, "")
    values = []
    for parameter in inspect.signature(type(module)).parameters.values():
        set_to = getattr(module, parameter.name, parameter.default)
        if isinstance(set_to, tuple) and len({*set_to}) == 1:
            set_to = set_to[0]
        if parameter.name == attribute:
            set_to = n
        if parameter.default is parameter.empty:
            if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD or set_to is parameter.empty:
                return None
            values.append(repr(set_to))
        elif parameter.default is None:  # worked out from the others
            continue
        elif isinstance(set_to, (bool, int, float, str)) and set_to != parameter.default:
            values.append(f"{parameter.name}={set_to!r}")
    return f"nn.{type(module).__name__}({', '.join(values)})" if attribute else None


def _given(
    module: AnyModule,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    axes: dict[str, tuple[Tensor, meaning.Axes]],
) -> str:
    named = {id(x): asked for x, asked in reversed(axes.values())}
    values = [_brief(value, named) for value in args]
    values += [f"{name}={_brief(value, named)}" for name, value in kwargs.items()]
    if axes:
        for name, spec in module._weighs.items():
            weight = getattr(module, name, None)
            if isinstance(weight, Tensor) and not is_lazy(weight):
                asked = meaning.fitting(spec, module, weight.ndim)
                text = meaning.label(weight.dtype.short, weight.shape, asked)
                values.append(f"{name} {text}")
    return f", given {', '.join(values)}" if values else ""


def _brief(value: Any, axes: dict[int, meaning.Axes]) -> str:
    if is_lazy(value):
        return "an uninitialized tensor"
    if isinstance(value, Tensor):
        return meaning.label(value.dtype.short, value.shape, axes.get(id(value)))
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    if type(value) in (tuple, list) and len(value) <= 4:
        return f"({', '.join(_brief(item, axes) for item in value)})"
    return type(value).__name__
