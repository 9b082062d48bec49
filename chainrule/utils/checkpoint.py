"""Computing again instead of keeping (`torch.utils.checkpoint`).

The gradient of a checkpointed function reads the function's inputs and nothing else: what it needs
of the inside is computed a second time when the backward pass gets there. What was recorded is put
into one op, `recomputed` (`chainrule.ops.transforms`), whose gradient starts again from its inputs;
the Python function is called once. Random numbers are a function of seed and position, so dropout
repeats itself exactly.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from chainrule import ops
from chainrule.ir.graph import Graph, substitute, topological
from chainrule.ir.node import Node
from chainrule.pytree import tree_flatten, tree_unflatten
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor.handle import node_of, result
from chainrule.tensor.trace import Trace, state, walking

_log = logging.getLogger("chainrule.utils.checkpoint")


class CheckpointError(RuntimeError):
    """A second pass that was not like the first (it cannot happen here: there is one)."""


def noop_context_fn() -> tuple[Any, Any]:
    """Two contexts that do nothing."""
    return contextlib.nullcontext(), contextlib.nullcontext()


def _warn_default(what: str) -> None:
    warnings.warn(
        f"torch.utils.checkpoint{what}: the use_reentrant parameter should be passed explicitly. "
        "use_reentrant=False is recommended, but if you need to preserve the current default "
        "behavior, you can pass use_reentrant=True.",
        stacklevel=3,
    )


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """function(*args), whose inside is computed again for the gradient instead of being kept

    Results, gradients and random numbers are exactly those without it. `function` is called once:
    what it recorded is repeated, so nothing can differ the second time (`determinism_check`,
    `preserve_rng_state`, `debug` and `early_stop` have nothing to do), and the second of the
    contexts of `context_fn` is not entered. As in PyTorch, with `use_reentrant=True` at least one
    argument must ask for gradients, or no gradient flows. A function with tensor hooks or an
    `autograd.Function` inside is computed without being repeated, and said so through `logging`.

    >>> import chainrule as torch
    >>> from chainrule.utils.checkpoint import checkpoint
    >>> x = torch.tensor([0.0, 1.0], requires_grad=True)
    >>> checkpoint(lambda t: (t * 2).exp(), x, use_reentrant=False).sum().backward()
    >>> x.grad
    tensor([ 2.0000, 14.7781])
    """
    if use_reentrant is None:
        _warn_default("")
        use_reentrant = True
    kwargs.pop("preserve_rng_state", True)
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not noop_context_fn or debug:
            raise ValueError(
                "Passing `context_fn` or `debug` is only supported when use_reentrant=False."
            )
        check_backward_validity(args)
        if not any(isinstance(a, Tensor) and a.requires_grad for a in args):
            with no_grad():
                return function(*args)
    if determinism_check not in ("default", "none"):
        raise ValueError(
            f"determinism_check should be one of ['default', 'none'], but got {determinism_check}"
        )
    first, _ = context_fn()
    with first:
        return _recorded(function, args, kwargs)


def _recorded(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    here = state.here
    if not here.grad:
        return function(*args, **kwargs)
    given = [t for t in tree_flatten((list(args), kwargs))[0] if isinstance(t, Tensor)]
    with walking():  # even a look leaves what is recorded in one trace
        for t in given:
            node_of(t)
        trace = here.trace
        arguments = [node_of(t) for t in given]
        before = {*trace.values, *arguments}
        out = function(*args, **kwargs)
        leaves, tree = tree_flatten(out)
        mine = {id(t) for t in given}
        at = [
            i for i, t in enumerate(leaves)
            if isinstance(t, Tensor) and t.level == 1 and not t.leaf and id(t) not in mine
        ]  # fmt: skip
        roots = [node_of(leaves[i]) for i in at]
        made = _repeatable(trace, roots, arguments, before) if at else None
        if made is None:
            return out
        for i, node in zip(at, ops.items(made), strict=True):
            leaves[i] = result(node, trace, 1)
    return tree_unflatten(leaves, tree)


_made: dict[tuple[Any, ...], Node] = {}


def _repeatable(
    trace: Trace, roots: list[Node], arguments: list[Node], before: set[Node]
) -> Node | None:
    """The values between arguments and results as one op; None: that cannot be."""

    def is_outside(n: Node) -> bool:
        return n in before or n.op.name == "input"

    order = topological(roots, stop=is_outside)
    if any(n in trace.watched and not is_outside(n) for n in order):
        _log.warning(
            "checkpoint: the function has hooks or an autograd.Function inside, whose values are "
            "kept; nothing is computed again"
        )
        return None
    outside = [n for n in order if is_outside(n)]
    again = {*arguments, *trace.states}
    kept = [n for n in outside if n in again or n.op.name != "input"]
    inputs = [*kept, *(n for n in outside if n.op.name == "input" and n not in again)]
    key = (*roots, None, *inputs)
    found = _made.get(key)
    if found is None:
        if len(_made) > 4096:
            _made.clear()
        formal = [
            ops.input(index=i, shape=n.shape, dtype=n.dtype, scope="arg")
            for i, n in enumerate(inputs)
        ]
        body = Graph(formal, substitute(roots, dict(zip(inputs, formal, strict=True))))
        attrs = (("body", body), ("kept", len(kept)))
        found = _made[key] = ops.recomputed.make(tuple(inputs), attrs)
    return found


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Functions one after another, in `segments` parts of which all but the last are checkpointed.

    >>> import chainrule as torch
    >>> from chainrule.utils.checkpoint import checkpoint_sequential
    >>> layers = [torch.tanh, torch.exp, torch.sin, torch.cos]
    >>> x = torch.ones(2, requires_grad=True)
    >>> checkpoint_sequential(layers, 2, x, use_reentrant=False).shape
    torch.Size([2])
    """
    if use_reentrant is None:
        _warn_default(".checkpoint_sequential")
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if hasattr(functions, "children"):
        functions = list(functions.children())

    def run(start: int, end: int) -> Callable[[Any], Any]:
        def forward(x: Any) -> Any:
            for f in functions[start:end]:
                x = f(x)
            return x

        return forward

    size = len(functions) // segments
    end = 0
    for start in range(0, size * (segments - 1), size):
        end = start + size
        input = checkpoint(
            run(start, end), input, use_reentrant=use_reentrant, preserve_rng_state=preserve
        )
    return run(end, len(functions))(input)


def check_backward_validity(inputs: Sequence[Any]) -> None:
    """Warn where no argument asks for gradients."""
    if not any(isinstance(x, Tensor) and x.requires_grad for x in inputs):
        warnings.warn(
            "None of the inputs have requires_grad=True. Gradients will be None", stacklevel=3
        )


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same tensors, without history."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(
            "Only tuple of tensors is supported. Got Unsupported input type: ", type(inputs)
        )
    return tuple(
        x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x for x in inputs
    )


@contextlib.contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """Accepted: what is not needed is never computed again here."""
    yield


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Iterator[None]:
    """Accepted: there is no second call that could differ from the first."""
    yield


def create_selective_checkpoint_contexts(
    policy_fn_or_list: Any, allow_cache_entry_mutation: bool = False
) -> Any:
    """Not here: a policy chooses among ATen's operations, which do not exist in this library."""
    raise NotImplementedError(
        "create_selective_checkpoint_contexts chooses by ATen's operations, which chainrule does "
        "not have; put checkpoint() around the parts that should be computed again"
    )


__all__ = [
    "CheckpointError", "check_backward_validity", "checkpoint", "checkpoint_sequential",
    "create_selective_checkpoint_contexts", "detach_variable", "noop_context_fn",
    "set_checkpoint_debug_enabled", "set_checkpoint_early_stop",
]  # fmt: skip
