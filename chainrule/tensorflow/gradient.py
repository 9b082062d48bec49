"""`tf.GradientTape`: derivatives of what was computed, as TensorFlow's programs ask for them.

Variables and layers' weights ask for gradients by themselves, so everything that is computed from
them can be derived, tape or no tape. A tape adds what `watch` names, and knows when a graph may be
forgotten: when its gradient was asked for, unless it is persistent, or another tape saw the same
computation, or an outer tape is to derive the derivative.
"""

from __future__ import annotations

import enum
import functools
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from chainrule.autograd import Function
from chainrule.autograd import grad as derive
from chainrule.func import vmap
from chainrule.keras.variables import Variable
from chainrule.tensor import Tensor, creation, enable_grad, no_grad
from chainrule.tensorflow.convert import tensor
from chainrule.training.tree import flatten, leaves, pack_like


class UnconnectedGradients(enum.Enum):
    """What stands for the gradient of what a target does not depend on."""

    NONE = "none"
    ZERO = "zero"


_active: list[GradientTape] = []


class GradientTape:
    """Records what is computed inside, to derive it afterwards.

    >>> import chainrule as tf
    >>> x = tf.constant(3.0)
    >>> with tf.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = x * x
    >>> float(tape.gradient(y, x))
    6.0
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._persistent, self._all = persistent, watch_accessed_variables
        self._watched: dict[int, Any] = {}
        self._beside: weakref.WeakSet[GradientTape] = weakref.WeakSet()
        self._used = self._recording = False
        self._grad: Any = None

    def __enter__(self) -> GradientTape:
        if self._recording:
            raise ValueError("the tape is recording already: it cannot be entered twice at once")
        for other in _active:
            self._beside.add(other)
            other._beside.add(self)
        _active.append(self)
        self._recording = True
        self._grad = enable_grad()
        self._grad.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._recording:
            self._stop()

    def _stop(self) -> None:
        self._recording = False
        _active.remove(self)
        self._grad.__exit__(None, None, None)

    def watch(self, tensor: Any) -> None:
        """Record what is computed from `tensor` (or each tensor of a structure)."""
        for t in leaves(tensor):
            if not isinstance(t, Tensor):
                raise ValueError(
                    f"Passed in object {t!r:.80} of type {type(t).__name__!r}, not tf.Tensor or "
                    "tf.Variable"
                )
            self._watched[id(t)] = t
            if not t.requires_grad and t.dtype.is_differentiable:
                t.requires_grad_()

    def watched_variables(self) -> tuple[Any, ...]:
        """The variables that `watch` named."""
        return tuple(t for t in self._watched.values() if isinstance(t, Variable))

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """A block whose operations have no derivative."""
        with no_grad():
            yield

    def reset(self) -> None:
        """Forget what was watched."""
        self._watched.clear()
        self._used = False

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: Any = UnconnectedGradients.NONE,
    ) -> Any:
        """The derivative of `target` (the sum of its elements) for each of `sources`, in their
        structure; None (or zeros) for what it does not depend on.
        """
        self._check()
        flat = flatten(sources)
        for s in flat:
            if not isinstance(s, Tensor):
                raise TypeError(f"a source is a tensor or a variable, got {type(s).__name__}")
        weights = None
        targets = [t for t in leaves(target) if t is not None]
        if output_gradients is not None:
            weights = [tensor(g) for g in leaves(output_gradients)]
        found = self._derived(targets, flat, weights)
        if UnconnectedGradients(unconnected_gradients) is UnconnectedGradients.ZERO:
            found = [
                creation.zeros(tuple(s.shape), dtype=s.dtype) if g is None else g
                for s, g in zip(flat, found, strict=True)
            ]
        return pack_like(sources, found)

    def _check(self) -> None:
        if self._used and not self._persistent:
            raise RuntimeError(
                "A non-persistent GradientTape can only be used to compute one set of gradients "
                "(or jacobians)"
            )
        self._used = True
        if self._recording and not self._persistent:
            self._stop()

    def _derived(self, targets: list[Any], sources: list[Any], weights: Any) -> list[Any]:
        asked = [
            s
            for s in sources
            if s.requires_grad
            and (self._all or id(s) in self._watched or not isinstance(s, Variable))
        ]
        pairs = [
            (t, None if weights is None else weights[i])
            for i, t in enumerate(targets)
            if isinstance(t, Tensor) and t.requires_grad
        ]
        if not asked or not pairs:
            return [None] * len(sources)
        unused = any(not other._used for other in self._beside)
        made = derive(
            [t for t, _ in pairs],
            asked,
            [_ones(t) if w is None else w for t, w in pairs],
            retain_graph=self._persistent or unused or bool(_active),
            create_graph=bool(_active),
            allow_unused=True,
        )
        by_source = {id(s): g for s, g in zip(asked, made, strict=True)}
        return [by_source.get(id(s)) for s in sources]

    def jacobian(
        self,
        target: Tensor,
        sources: Any,
        unconnected_gradients: Any = UnconnectedGradients.NONE,
        parallel_iterations: Any = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """The derivative of every element of `target`: shape (*target, *source)."""
        self._check()
        flat = flatten(sources)
        count = int(np.prod(tuple(target.shape)))
        rows = self._rows(target, flat, count)
        shape = tuple(target.shape)
        found = [
            None if r is None else r.reshape(*shape, *s.shape)
            for r, s in zip(rows, flat, strict=True)
        ]
        if UnconnectedGradients(unconnected_gradients) is UnconnectedGradients.ZERO:
            found = [
                creation.zeros((*shape, *s.shape), dtype=s.dtype) if g is None else g
                for s, g in zip(flat, found, strict=True)
            ]
        return pack_like(sources, found)

    def _rows(self, target: Tensor, sources: list[Any], count: int) -> list[Any]:
        if not target.requires_grad or not count:
            return [None] * len(sources)
        basis = creation.eye(count, dtype=target.dtype).reshape(count, *target.shape)
        connected = derive(target, sources, _ones(target), retain_graph=True, allow_unused=True)
        asked = [s for s, g in zip(sources, connected, strict=True) if g is not None]

        def pulled(row: Tensor) -> tuple[Any, ...]:
            found: tuple[Any, ...] = derive(
                target, asked, row, retain_graph=True, create_graph=bool(_active)
            )
            return found

        rows = iter(vmap(pulled)(basis) if asked else ())
        return [None if g is None else next(rows) for g in connected]

    def batch_jacobian(
        self,
        target: Tensor,
        source: Tensor,
        unconnected_gradients: Any = UnconnectedGradients.NONE,
        parallel_iterations: Any = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """For every row of a batch the jacobian of its row: shape (batch, *target, *source)."""
        self._check()
        n, inner = int(target.shape[0]), tuple(target.shape[1:])
        count = int(np.prod(inner))
        basis = creation.eye(count, dtype=target.dtype).reshape(count, 1, *inner)
        basis = basis.expand((count, n, *inner))

        def pulled(row: Tensor) -> Tensor:
            (found,) = derive(
                target, [source], row, retain_graph=True, create_graph=bool(_active),
                allow_unused=True,
            )  # fmt: skip
            return creation.zeros(tuple(source.shape)) if found is None else found

        rows = vmap(pulled)(basis)  # (count, n, *source)
        return rows.movedim(0, 1).reshape(n, *inner, *source.shape[1:])


def _ones(t: Tensor) -> Tensor:
    return creation.ones(tuple(t.shape), dtype=t.dtype)


def gradients(
    ys: Any, xs: Any, grad_ys: Any = None, name: str = "gradients",
    gate_gradients: bool = False, aggregation_method: Any = None, stop_gradients: Any = None,
    unconnected_gradients: Any = UnconnectedGradients.NONE,
) -> list[Any]:  # fmt: skip
    """The derivative of the sum of `ys` for each of `xs`."""
    tape = GradientTape(persistent=True)
    return list(leaves(tape.gradient(ys, flatten(xs), grad_ys, unconnected_gradients)))


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function with a gradient of the program's own: `f(*x)` gives `(y, grad)`, and `grad(*dy)`
    the gradients of the x.
    """

    @functools.wraps(f)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        kept: dict[str, Any] = {}

        class Custom(Function):
            @staticmethod
            def forward(ctx: Any, *inputs: Any) -> Any:
                y, kept["grad"] = f(*inputs, **kwargs)
                kept["like"], Custom.written = y, staticmethod(kept["grad"])
                return tuple(flatten(y)) if isinstance(y, list | tuple) else y

            @staticmethod
            def backward(ctx: Any, *upstream: Any) -> Any:
                made = kept["grad"](*upstream)
                found = tuple(made) if isinstance(made, list | tuple) else (made,)
                if found and isinstance(found[0], list | tuple):  # (gradients, of variables)
                    found = tuple(found[0])
                return found

        Custom.__name__ = getattr(f, "__name__", "Custom")
        out = Custom.apply(*(tensor(a) for a in args))
        return pack_like(kept["like"], list(out)) if isinstance(out, tuple) else out

    return wrapper


def grad_pass_through(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`, whose gradient is that of the identity."""

    @custom_gradient
    def wrapper(*args: Any) -> Any:
        return f(*args), lambda *upstream: upstream

    return wrapper


def recompute_grad(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`: what it needs for its gradient is kept, not computed again."""
    return f


class AggregationMethod:
    """How gradients are added; there is one way."""

    DEFAULT = ADD_N = EXPERIMENTAL_TREE = EXPERIMENTAL_ACCUMULATE_N = 0


__all__ = [
    "AggregationMethod", "GradientTape", "UnconnectedGradients", "custom_gradient",
    "grad_pass_through", "gradients", "recompute_grad",
]  # fmt: skip
