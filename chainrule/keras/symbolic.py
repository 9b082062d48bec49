"""The functional API: tensors without values, and the operations between them.

`x = Input((4,))` is a KerasTensor: a shape (with None where a size is open) and a type. A layer or
an operation called on it records a Node instead of computing, and the outputs' shapes come from
running the operation on placeholders of two different sizes: a dimension that changes with them is
open, too. Nothing is computed by that, because tensors only record.
"""

from __future__ import annotations

import functools
import inspect
import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from chainrule.keras import context, naming
from chainrule.keras.scopes import StatelessScope
from chainrule.keras.settings import (
    dtype_name,
    floatx,
    standardize_dtype,
    standardize_shape,
    to_dtype,
)
from chainrule.tensor import Tensor, creation, flush, fromdata, no_grad
from chainrule.training.tree import flatten, leaves, map_leaves

Shape = tuple[int | None, ...]

# Sizes that stand in for an open dimension: the first axis is a batch, others may be pooled several
# times over.
_PROBES = ({True: 2, False: 64}, {True: 3, False: 96})


class KerasTensor:
    """A tensor without values: the currency of the functional API.

    >>> KerasTensor((None, 3)).ndim
    2
    """

    __array_ufunc__ = None  # NumPy's operators leave the work to the ones below

    shape: Shape  # these four cannot be changed: see `_immutable`
    dtype: str
    sparse: bool
    ragged: bool

    def __init__(
        self,
        shape: Any,
        dtype: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
        **options: Any,
    ) -> None:
        if sparse and ragged:
            raise ValueError("KerasTensor cannot have `sparse=True` and `ragged=True` at once")
        self._shape: Shape = standardize_shape(shape)
        self._dtype = standardize_dtype(dtype or floatx())
        self._sparse, self._ragged = bool(sparse), bool(ragged)
        self.name = name or naming.unique("keras_tensor")
        self.record_history = record_history
        self.history: tuple[Node, int] | None = None

    @property
    def ndim(self) -> int:
        return len(self._shape)

    @property
    def operation(self) -> Operation:
        if self.history is None:
            raise ValueError(f"{self!r} was made by no operation")
        return self.history[0].operation

    @property
    def _keras_history(self) -> History:
        """Which operation made it, in which of its uses, as which output."""
        if self.history is None:
            raise AttributeError(f"{self!r} was made by no operation")
        node, index = self.history
        return History(node.operation, node.operation.nodes.index(node), index)

    def reshape(self, *newshape: Any) -> Any:
        shape = newshape[0] if len(newshape) == 1 else newshape
        return apply("reshape", self, shape)

    def squeeze(self, axis: Any = None) -> Any:
        return apply("squeeze", self, axis)

    def __repr__(self) -> str:
        return (
            f"<KerasTensor shape={self.shape}, dtype={self.dtype}, sparse={self._sparse}, "
            f"ragged={self._ragged}, name={self.name}>"
        )

    def __len__(self) -> int:
        raise TypeError("a symbolic tensor has no length: use x.shape[0]")

    def __bool__(self) -> bool:
        raise TypeError(
            "A symbolic KerasTensor cannot be used as a boolean. It is no number before the model "
            "is called: use `keras.ops.where` or `keras.ops.cond`"
        )

    def __iter__(self) -> Any:
        raise NotImplementedError(
            "Iterating over a symbolic KerasTensor is not supported: index it or use "
            "`keras.ops.unstack`"
        )

    def _refuse(self, what: str) -> ValueError:
        return ValueError(
            f"A KerasTensor is symbolic: it's a placeholder for a shape and a dtype. It doesn't "
            f"have any actual numerical value. You cannot {what}: use layers or keras.ops on it. "
            f"Got {self!r}"
        )

    def __int__(self) -> int:
        raise self._refuse("convert it to an int")

    def __float__(self) -> float:
        raise self._refuse("convert it to a float")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise self._refuse("convert it to a NumPy array")

    def __getitem__(self, index: Any) -> Any:
        return apply("getitem", self, index)


def _immutable(name: str) -> property:
    hidden = f"_{name}"

    def refuse(self: KerasTensor, value: Any) -> None:
        raise AttributeError(
            f"The `{name}` attribute of KerasTensor is immutable. One should create a new instance "
            "of KerasTensor for this."
        )

    return property(lambda self: getattr(self, hidden), refuse)


for _name in ("shape", "dtype", "sparse", "ragged"):
    setattr(KerasTensor, _name, _immutable(_name))


class History(NamedTuple):
    """Where a symbolic tensor comes from."""

    operation: Operation
    node_index: int
    tensor_index: int


class Operation:
    """Anything that can stand at a node: a layer, or a function of your own with `call` and, if
    its result cannot be found by recording, `compute_output_spec`.

    >>> class Twice(Operation):
    ...     def call(self, x):
    ...         return 2 * x
    >>> Twice()(KerasTensor((None, 3))).shape
    (None, 3)
    """

    _constructor: tuple[Any, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        instance = super().__new__(cls)
        instance.__dict__["_constructor"] = (args, kwargs)
        return instance

    def __init__(self, name: str | None = None) -> None:
        self.name = naming.check_name(
            naming.auto_name(type(self).__name__) if name is None else name
        )
        self.nodes: list[Node] = []
        self._outbound_nodes: list[Node] = []
        self._remat_mode = context.get_current_remat_mode()

    @property
    def _inbound_nodes(self) -> list[Node]:
        return self.nodes

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if is_symbolic(*args, *kwargs.values()):
            return self.symbolic_call(*args, **kwargs)
        args, kwargs = map_leaves(_as_tensor, (args, kwargs))
        return self._computation(*args, **kwargs)(*args, **kwargs)

    def _computation(self, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """What computes: `call`, which may be computed again for the gradient."""
        quantized = getattr(self, "quantization_mode", None) is not None
        function = self.quantized_call if quantized else self.call
        if self._remat_mode is None:
            return function
        return self.rematerialized_call(function, *args, **kwargs)

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Compute on tensors."""
        return self(*args, **kwargs)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define call(self, ...)")

    def quantized_call(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f"{type(self).__name__} has no quantized_call: chainrule computes with the weights as "
            "they are"
        )

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Record a node; gives symbolic tensors."""
        outputs = self.compute_output_spec(*args, **kwargs)
        Node(self, args, kwargs, outputs)
        return outputs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs for symbolic inputs, without recording a node."""
        return infer(self.call, args, kwargs)

    def rematerialized_call(
        self, function: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Callable[..., Any]:
        """`function`, or one that forgets what it computed and computes it again for the
        gradient, as the `RematScope` says in which this operation was made.
        """
        mode = self._remat_mode
        if mode is None:
            return function
        if mode.mode == "full":
            return context.remat(function)
        if mode.mode == "larger_than":
            spec = self.compute_output_spec(*args, **kwargs)
            size = sum(math.prod(n or 1 for n in t.shape) for t in leaves(spec))
            if size > mode.output_size_threshold:
                return context.remat(function)
        return function

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal operation: those that the constructor was called
        with, as far as they are plain data.
        """
        config: dict[str, Any] = {"name": self.name}
        if type(self).get_config is not Operation.get_config:
            return config
        config |= constructor_arguments(self)
        if not takes(type(self), "name"):
            del config["name"]
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """An operation with the arguments of a config."""
        return cls(**config)

    @property
    def input(self) -> Any:
        """The symbolic input(s) of the first use."""
        return one_or_list(self._first_node("input").inputs)

    @property
    def output(self) -> Any:
        """The symbolic output(s) of the first use."""
        return one_or_list(self._first_node("output").output_tensors)

    def _first_node(self, what: str = "input or output") -> Node:
        if not self.nodes:
            raise AttributeError(
                f"The layer {self.name} has never been called on symbolic input and thus has no "
                f"defined {what}."
            )
        return self.nodes[0]


def takes(cls: type, name: str) -> bool:
    """Whether the constructor of a class has an argument of that name."""
    parameters = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]  # of the class itself
    return any(p.name == name or p.kind is p.VAR_KEYWORD for p in parameters)


def constructor_arguments(operation: Operation) -> dict[str, Any]:
    """What the constructor was called with, defaults included, but for `name`; plain data only."""
    args, kwargs = operation._constructor
    cls = type(operation)
    signature = inspect.signature(cls.__init__)
    bound = signature.bind(operation, *args, **kwargs)
    bound.apply_defaults()
    given: dict[str, Any] = {}
    for parameter in list(signature.parameters.values())[1:]:
        value = bound.arguments[parameter.name]
        if parameter.kind is parameter.VAR_KEYWORD:
            given |= value
        elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            if parameter.kind is parameter.POSITIONAL_ONLY or value:
                raise NotImplementedError(
                    f"Object {cls.__name__} was created by passing positional only or variadic "
                    "positional arguments to `__init__()`, from which no config can be made. "
                    "Override `get_config()` and `from_config()`."
                )
        else:
            given[parameter.name] = value
    given.pop("name", None)
    plain = str | int | float | bool | None
    if not all(isinstance(leaf, plain) for leaf in leaves(given)):
        raise NotImplementedError(
            f"Object {cls.__name__} was created by passing non-serializable argument values in "
            "`__init__()`, and therefore must override `get_config()` in order to be serializable: "
            "call `super().get_config()` and add the arguments."
        )
    return given


class FunctionOp(Operation):
    """A function of `FUNCTIONS`, by name, so that a model that uses it can be saved."""

    def __init__(self, function: str, name: str | None = None) -> None:
        super().__init__(name or naming.unique(function))
        self.function = function
        self.built = True
        self.weights: list[Any] = []

    def run(self, *args: Any, **kwargs: Any) -> Any:
        return FUNCTIONS[self.function](*args, **kwargs)

    call = run


class SymbolicArguments:
    """The arguments of a node: structures with symbolic tensors in them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs
        self._flat_arguments = list(leaves((args, kwargs)))
        self.keras_tensors = [t for t in self._flat_arguments if isinstance(t, KerasTensor)]
        single = not kwargs and len(args) == 1 and isinstance(args[0], KerasTensor)
        self._single_positional_tensor = args[0] if single else None

    def convert(self, conversion_fn: Callable[[Any], Any]) -> tuple[Any, Any]:
        """The arguments with `conversion_fn` applied to each leaf."""
        converted: tuple[Any, Any] = map_leaves(conversion_fn, (self.args, self.kwargs))
        return converted

    def fill_in(self, tensor_dict: dict[int, Any]) -> tuple[Any, Any]:
        """The arguments with values in the places of the symbolic tensors (by identity)."""
        return self.convert(lambda t: tensor_dict.get(id(t)) if isinstance(t, KerasTensor) else t)


class Node:
    """One use of an operation: `operation(*args, **kwargs)` gave `outputs`."""

    def __init__(
        self, operation: Operation, call_args: Any = (), call_kwargs: Any = None, outputs: Any = ()
    ) -> None:
        self.operation = operation
        self.args = call_args
        self.kwargs = call_kwargs or {}
        self.outputs = outputs
        self.inputs = [t for t in leaves((self.args, self.kwargs)) if isinstance(t, KerasTensor)]
        self.output_tensors = flatten(outputs)
        for tensor in self.output_tensors:
            if tensor is not None and not isinstance(tensor, KerasTensor):
                raise ValueError(
                    f"All operation outputs must be tensors. Operation {operation} returned a "
                    f"non-tensor. Non-tensor received: {tensor}"
                )
        operation.nodes.append(self)
        for index, tensor in enumerate(self.output_tensors):
            if tensor is not None:
                tensor.history = (self, index)
        for node in self.parent_nodes:
            node.operation._outbound_nodes.append(self)

    @property
    def arguments(self) -> SymbolicArguments:
        return SymbolicArguments(*self.args, **self.kwargs)

    @property
    def input_tensors(self) -> list[KerasTensor]:
        return self.inputs

    @property
    def is_input(self) -> bool:
        """Whether it needs no other node."""
        return not self.inputs

    @property
    def parent_nodes(self) -> list[Node]:
        """The nodes that made the inputs, each once."""
        found = {id(t.history[0]): t.history[0] for t in self.inputs if t.history is not None}
        return list(found.values())

    def run(self, values: dict[int, Any], **more: Any) -> None:
        """Compute the outputs from `values` (by identity of the symbolic tensors) into `values`."""
        args, kwargs = fill((self.args, self.kwargs), values)
        result = self.operation.run(*args, **kwargs, **more)
        for symbolic, value in zip(flatten(self.outputs), flatten(result), strict=True):
            values[id(symbolic)] = value


def one_or_list(items: list[Any]) -> Any:
    return items[0] if len(items) == 1 else items


def _as_tensor(leaf: Any) -> Any:
    return fromdata.from_owned(np.array(leaf)) if isinstance(leaf, np.ndarray) else leaf


def is_keras_tensor(x: Any) -> bool:
    """Whether `x` is symbolic."""
    return isinstance(x, KerasTensor)


def any_symbolic_tensors(args: Any = None, kwargs: Any = None) -> bool:
    """Whether a symbolic tensor stands anywhere in the arguments."""
    return is_symbolic(args or (), kwargs or {})


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
    try:
        results = _probed(function, args, kwargs)
    except (RuntimeError, ValueError):
        closed = _closed(args, kwargs)
        if closed is None:
            raise
        results = _probed(function, *closed)
    merged = map_leaves(_merge, *results)
    # What was recorded only for its shape must not number the inputs of the step that follows:
    # nobody holds it any more, so that this computes nothing and begins a new trace.
    results.clear()
    flush()
    return merged


def _probed(function: Callable[..., Any], args: Any, kwargs: Any) -> list[Any]:
    first = _run(function, args, kwargs, _PROBES[0])
    return [first, _run(function, args, kwargs, _PROBES[1]) if _is_open(args, kwargs) else first]


def _closed(args: Any, kwargs: Any) -> Any:
    """The arguments with open sizes as large as what they meet there: (None, 3) beside (2, None)
    can only be (2, 3) beside (2, 3). None where no other size says anything.
    """
    shapes = [tuple(t.shape) for t in leaves((args, kwargs)) if hasattr(t, "shape")]

    def met(axis: int, rank: int) -> int | None:
        at = axis - rank  # shapes meet at their ends
        sizes = [s[at] for s in shapes if len(s) >= -at and s[at] not in (None, 1)]
        return sizes[0] if sizes else None

    changed = False

    def close(leaf: Any) -> Any:
        nonlocal changed
        if not isinstance(leaf, KerasTensor) or None not in leaf.shape:
            return leaf
        rank = len(leaf.shape)
        shape = [met(i, rank) if n is None else n for i, n in enumerate(leaf.shape)]
        changed = changed or shape != list(leaf.shape)
        return KerasTensor(shape, leaf.dtype)

    found = map_leaves(close, (args, kwargs))
    return found if changed else None


def _run(function: Callable[..., Any], args: Any, kwargs: Any, probe: dict[bool, int]) -> Any:
    with no_grad(), StatelessScope(), context.scope(training=False, probing=True):
        filled, named = map_leaves(functools.partial(_placeholder, probe), (args, kwargs))
        return function(*filled, **named)


def compute_output_spec(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The symbolic outputs of a function of tensors for symbolic arguments.

    >>> compute_output_spec(lambda x: x.sum(-1), KerasTensor((None, 3))).shape
    (None,)
    """
    return infer(function, args, kwargs)


class SymbolicScope:
    """Inside, `in_symbolic_scope()` is True, as it is while only shapes are asked for."""

    def __init__(self) -> None:
        self._entered: Any = None

    def __enter__(self) -> SymbolicScope:
        self._entered = context.scope(probing=True)
        self._entered.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._entered.__exit__(*exc)


def in_symbolic_scope() -> bool:
    """Whether only shapes are asked for."""
    running = context.current()
    return running is not None and running.probing


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
    "logical_xor": operator.xor,
    "getitem": operator.getitem,
    "reshape": lambda x, shape: x.reshape(shape),
    "squeeze": lambda x, axis=None: x.squeeze() if axis is None else x.squeeze(axis),
    "round": lambda x, ndigits=0: x.round(decimals=ndigits or 0),
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
    "xor": "logical_xor",
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
    "round": "round",
    "ne": "not_equal",
}.items():
    setattr(KerasTensor, f"__{_method}__", _operator(_name))
# == keeps comparing identities: symbolic tensors can be looked up in lists.
