"""The functional API: tensors without values, and the operations between them.

`x = Input((4,))` is a KerasTensor: a shape (with None where a size is open) and a type. A layer or
an operation called on it records a Node instead of computing, and the outputs' shapes come from
running the operation on placeholders of two different sizes: a dimension that changes with them is
open, too. Nothing is computed by that, because tensors only record.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable
from typing import Any

from chainrule.keras import context, naming
from chainrule.keras.settings import dtype_name, floatx, to_dtype
from chainrule.tensor import Tensor, creation, flush, no_grad
from chainrule.training.tree import flatten, leaves, map_leaves

Shape = tuple[int | None, ...]

# Sizes that stand in for an open dimension: the first axis is a batch, others may be pooled several
# times over.
_PROBES = ({True: 2, False: 64}, {True: 3, False: 96})


class KerasTensor:
    """A tensor without values: the currency of the functional API."""

    __array_ufunc__ = None  # NumPy's operators leave the work to the ones below

    def __init__(
        self, shape: Iterable[int | None], dtype: Any = None, name: str | None = None
    ) -> None:
        self.shape: Shape = tuple(None if n is None else int(n) for n in shape)
        self.dtype = "string" if dtype == "string" else dtype_name(dtype or floatx())
        self.name = name or naming.unique("keras_tensor")
        self.history: tuple[Node, int] | None = None
        self.written_history: Any = None  # of a tensor read from a file: [operation, use, output]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def operation(self) -> Operation:
        if self.history is None:
            raise ValueError(f"{self!r} was made by no operation")
        return self.history[0].operation

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    def __len__(self) -> int:
        raise TypeError("a symbolic tensor has no length: use x.shape[0]")

    def __bool__(self) -> bool:
        raise TypeError(
            "a symbolic tensor has no truth value: it is no number before the model is called"
        )

    def __iter__(self) -> Any:
        raise TypeError("a symbolic tensor cannot be iterated; index it or use keras.ops.split")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            f"{self!r} has no values: it stands for data that come when the model is called. "
            "Use layers or keras.ops on it, not NumPy."
        )

    def __getitem__(self, index: Any) -> Any:
        return apply("getitem", self, index)


class Operation:
    """Anything that can stand at a node: a layer, or a plain function (FunctionOp)."""

    name: str

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Compute on tensors."""
        raise NotImplementedError


class FunctionOp(Operation):
    """A function of `FUNCTIONS`, by name, so that a model that uses it can be saved."""

    def __init__(self, function: str) -> None:
        super().__init__()
        self.function = function
        self.name = naming.unique(function)
        self.built = True
        self.weights: list[Any] = []

    def run(self, *args: Any, **kwargs: Any) -> Any:
        return FUNCTIONS[self.function](*args, **kwargs)


class Node:
    """One use of an operation: `operation(*args, **kwargs)` gave `outputs`."""

    def __init__(self, operation: Operation, args: Any, kwargs: Any, outputs: Any) -> None:
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.outputs = outputs
        self.inputs = [t for t in leaves((args, kwargs)) if isinstance(t, KerasTensor)]
        operation.nodes.append(self)
        for index, tensor in enumerate(flatten(outputs)):
            if isinstance(tensor, KerasTensor):
                tensor.history = (self, index)

    def run(self, values: dict[int, Any], **more: Any) -> None:
        """Compute the outputs from `values` (by identity of the symbolic tensors) into `values`."""
        args, kwargs = fill((self.args, self.kwargs), values)
        result = self.operation.run(*args, **kwargs, **more)
        for symbolic, value in zip(flatten(self.outputs), flatten(result), strict=True):
            values[id(symbolic)] = value


def fill(structure: Any, values: dict[int, Any]) -> Any:
    """`structure` with each symbolic tensor replaced by its value."""
    return map_leaves(lambda t: values[id(t)] if isinstance(t, KerasTensor) else t, structure)


def is_symbolic(*structures: Any) -> bool:
    """Whether a KerasTensor stands anywhere in the arguments."""
    for structure in structures:
        if isinstance(structure, KerasTensor):
            return True
        if isinstance(structure, list | tuple | dict) and any(
            isinstance(t, KerasTensor) for t in leaves(structure)
        ):
            return True
    return False


def infer(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """The symbolic outputs of `function`, found by recording it on placeholders of two sizes."""
    results = [_run(function, args, kwargs, _PROBES[0])]
    results.append(
        _run(function, args, kwargs, _PROBES[1]) if _is_open(args, kwargs) else results[0]
    )
    merged = map_leaves(_merge, *results)
    # What was recorded only for its shape must not number the inputs of the step that follows:
    # nobody holds it any more, so that this computes nothing and begins a new trace.
    results.clear()
    flush()
    return merged


def _run(function: Callable[..., Any], args: Any, kwargs: Any, probe: dict[bool, int]) -> Any:
    with no_grad(), context.scope(training=False, probing=True):
        filled, named = map_leaves(functools.partial(_placeholder, probe), (args, kwargs))
        return function(*filled, **named)


def _is_open(*structures: Any) -> bool:
    return any(
        isinstance(t, KerasTensor) and None in t.shape for s in structures for t in leaves(s)
    )


def _placeholder(probe: dict[bool, int], leaf: Any) -> Any:
    if not isinstance(leaf, KerasTensor):
        return leaf
    if leaf.dtype == "string":
        raise TypeError(f"{leaf!r} is of strings, which no layer here can take")
    shape = tuple(
        probe[axis == 0] if size is None else size for axis, size in enumerate(leaf.shape)
    )
    return creation.zeros(shape, dtype=to_dtype(leaf.dtype))


def _merge(first: Any, second: Any) -> Any:
    if not isinstance(first, Tensor):
        return first
    if first.ndim != second.ndim:
        raise ValueError("the number of dimensions of an output depends on the size of the input")
    shape = (
        int(a) if a == b else None
        for a, b in zip(tuple(first.shape), tuple(second.shape), strict=True)
    )
    return KerasTensor(shape, dtype_name(first.dtype))


# Functions that symbolic tensors understand -------------------------------------------------------

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "true_divide": operator.truediv,
    "floor_divide": operator.floordiv,
    "mod": operator.mod,
    "power": operator.pow,
    "matmul": operator.matmul,
    "negative": operator.neg,
    "absolute": operator.abs,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "logical_and": operator.and_,
    "logical_or": operator.or_,
    "logical_not": operator.invert,
    "getitem": operator.getitem,
}


def apply(function: str, *args: Any, **kwargs: Any) -> Any:
    """Apply a function of `FUNCTIONS`: at once to tensors, as a node to symbolic tensors."""
    if not is_symbolic(*args, *kwargs.values()):
        return FUNCTIONS[function](*args, **kwargs)
    operation = FunctionOp(function)
    outputs = infer(FUNCTIONS[function], args, kwargs)
    Node(operation, args, kwargs, outputs)
    return outputs


def function(implementation: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of tensors understand symbolic tensors, under its own name."""
    name = implementation.__name__
    FUNCTIONS[name] = implementation

    @functools.wraps(implementation)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if is_symbolic(*args, *kwargs.values()):
            return apply(name, *args, **kwargs)
        return implementation(*args, **kwargs)

    return wrapper


def _operator(name: str, *, reflected: bool = False) -> Callable[..., Any]:
    if reflected:
        return lambda self, other: apply(name, other, self)
    return lambda self, *others: apply(name, self, *others)


for _method, _name in {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "mod",
    "pow": "power",
    "matmul": "matmul",
    "and": "logical_and",
    "or": "logical_or",
}.items():
    setattr(KerasTensor, f"__{_method}__", _operator(_name))
    setattr(KerasTensor, f"__r{_method}__", _operator(_name, reflected=True))

for _method, _name in {
    "neg": "negative",
    "abs": "absolute",
    "invert": "logical_not",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}.items():
    setattr(KerasTensor, f"__{_method}__", _operator(_name))
# == and != keep comparing identities, so that symbolic tensors can be looked up in lists, as Keras
# has it.
