"""Functions, loops and branches, as TensorFlow's graphs need them.

Every operation is recorded here, so `tf.function` has nothing to do: a step that is called again is
found again. A function's Python runs at every call.
"""

from __future__ import annotations

import builtins
import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.data.elements import TensorSpec, as_type, raw, wrap
from chainrule.keras.naming import name_scope as _name_scope
from chainrule.strings import STRING, StringTensor
from chainrule.tensor import Tensor, creation, fromdata
from chainrule.tensor import functions as T
from chainrule.tensorflow.convert import sizes, stacked, tensor
from chainrule.training.tree import leaves, map_leaves


class Function:
    """What `tf.function` makes: calls the Python function."""

    def __init__(self, python_function: Callable[..., Any], input_signature: Any = None) -> None:
        self.python_function, self.input_signature = python_function, input_signature
        functools.update_wrapper(self, python_function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.python_function(*args, **kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self.__call__, instance)

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> Any:
        """Not here: there is no graph that stands by itself."""
        raise NotImplementedError(
            "get_concrete_function: functions are not turned into graphs of TensorFlow; call "
            f"{self.__name__} itself, and see chainrule.explain for its graph"  # type: ignore[attr-defined]
        )

    def experimental_get_tracing_count(self) -> int:
        return 1


def function(
    func: Callable[..., Any] | None = None,
    input_signature: Any = None,
    autograph: bool = True,
    jit_compile: bool | None = None,
    reduce_retracing: bool = False,
    experimental_implements: Any = None,
    experimental_autograph_options: Any = None,
    experimental_attributes: Any = None,
    experimental_relax_shapes: Any = None,
    experimental_compile: Any = None,
    experimental_follow_type_hints: Any = None,
) -> Any:
    """`@tf.function`, with or without arguments: the function, recorded and compiled as all are."""
    if func is None:
        return lambda f: Function(f, input_signature)
    return Function(func, input_signature)


def py_function(func: Callable[..., Any], inp: Any, Tout: Any, name: str | None = None) -> Any:
    """`func(*inp)`, in Python, with its results in the types `Tout`."""
    return _typed(func(*[tensor(x) for x in inp]), Tout)


def numpy_function(
    func: Callable[..., Any], inp: Any, Tout: Any, stateful: bool = True, name: str | None = None
) -> Any:
    """`func(*inp)` on NumPy's arrays, with its results in the types `Tout`."""
    return _typed(func(*[_array(tensor(x)) for x in inp]), Tout)


def _array(x: Any) -> Any:
    array = x.numpy() if isinstance(x, StringTensor) else x.detach().numpy()
    return array[()] if isinstance(array, np.ndarray) and array.ndim == 0 else array


def _typed(value: Any, types: Any) -> Any:
    if types is None or (isinstance(types, list | tuple) and not types):
        return []
    if isinstance(types, list | tuple):
        given = value if isinstance(value, list | tuple) else [value]
        return [_typed(v, t) for v, t in zip(given, types, strict=True)]
    wanted = types.dtype if isinstance(types, TensorSpec) else as_type(types)
    array = raw(value)
    if wanted is not STRING and array.dtype != wanted.np:
        array = array.astype(wanted.np)
    return wrap(array)


def cond(
    pred: Any, true_fn: Callable[[], Any] | None = None, false_fn: Callable[[], Any] | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """One of two computations; looks at `pred`."""
    if true_fn is None or false_fn is None:
        raise TypeError("cond(): 'true_fn' and 'false_fn' arguments are required")
    return true_fn() if bool(pred) else false_fn()


def case(
    pred_fn_pairs: Any, default: Callable[[], Any] | None = None, exclusive: bool = False,
    strict: bool = False, name: str = "case",
) -> Any:  # fmt: skip
    """The computation of the first predicate that holds."""
    pairs = pred_fn_pairs.items() if isinstance(pred_fn_pairs, dict) else pred_fn_pairs
    for pred, f in pairs:
        if bool(pred):
            return f()
    if default is None:
        raise ValueError("no predicate of case() holds, and there is no default")
    return default()


def switch_case(
    branch_index: Any, branch_fns: Any, default: Callable[[], Any] | None = None, name: str = ""
) -> Any:
    """The computation that a number names."""
    table = dict(branch_fns if isinstance(branch_fns, dict) else enumerate(branch_fns))
    chosen = table.get(int(branch_index), default or table[max(table)])
    return chosen()


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any,
    shape_invariants: Any = None, parallel_iterations: int = 10, back_prop: bool = True,
    swap_memory: bool = False, maximum_iterations: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    """`loop_vars = body(*loop_vars)` as long as `cond(*loop_vars)`."""
    left = None if maximum_iterations is None else int(maximum_iterations)
    values = loop_vars
    while (left is None or left > 0) and bool(_on(cond, values)):
        values = _like(loop_vars, _on(body, values))
        left = None if left is None else left - 1
    return values


def _on(f: Callable[..., Any], values: Any) -> Any:
    return f(**values) if isinstance(values, dict) else f(*values)


def _like(structure: Any, values: Any) -> Any:
    if isinstance(structure, dict):
        return values
    values = values if isinstance(values, list | tuple) else (values,)
    return list(values) if isinstance(structure, list) else tuple(values)


def map_fn(
    fn: Callable[..., Any], elems: Any, dtype: Any = None, parallel_iterations: Any = None,
    back_prop: bool = True, swap_memory: bool = False, infer_shape: bool = True,
    name: str | None = None, fn_output_signature: Any = None,
) -> Any:  # fmt: skip
    """`fn` of each row, and the results stacked."""
    wanted = fn_output_signature if fn_output_signature is not None else dtype
    parts = map_leaves(tensor, elems)
    count = len(next(leaves(parts)))
    results = [fn(map_leaves(lambda x, i=i: x[i], parts)) for i in range(count)]
    stacked_ = map_leaves(lambda *rows: _stack(rows), *results)
    if wanted is None or isinstance(wanted, list | tuple | dict):
        return stacked_
    kind = wanted.dtype if isinstance(wanted, TensorSpec) else as_type(wanted)
    return stacked_ if kind is STRING else stacked_.to(kind)


def _stack(rows: Any) -> Any:
    parts = [tensor(r) for r in rows]
    if isinstance(parts[0], StringTensor):
        return wrap(np.stack([p.array for p in parts]))
    return stacked(parts, 0)


def vectorized_map(
    fn: Callable[..., Any], elems: Any, fallback_to_while_loop: bool = True, warn: bool = True
) -> Any:
    """`map_fn`."""
    return map_fn(fn, elems)


def scan(
    fn: Callable[..., Any], elems: Any, initializer: Any = None, parallel_iterations: int = 10,
    back_prop: bool = True, swap_memory: bool = False, infer_shape: bool = True,
    reverse: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """All states of `state = fn(state, row)`, stacked."""
    states = _states(fn, elems, initializer, reverse)
    if reverse:
        states.reverse()
    return map_leaves(lambda *rows: _stack(rows), *states)


def _states(fn: Callable[..., Any], elems: Any, initializer: Any, reverse: bool) -> list[Any]:
    parts = map_leaves(tensor, elems)
    order = list(range(len(next(leaves(parts)))))
    if reverse:
        order.reverse()
    rows = [map_leaves(lambda x, i=i: x[i], parts) for i in order]
    state = map_leaves(tensor, initializer) if initializer is not None else rows.pop(0)
    states = [] if initializer is not None else [state]
    for row in rows:
        state = fn(state, row)
        states.append(state)
    return states


def foldl(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """The last state of `state = fn(state, row)`."""
    return _states(fn, elems, initializer, False)[-1]


def foldr(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """`foldl` from the last row to the first."""
    return _states(fn, elems, initializer, True)[-1]


class TensorArray:
    """A list of tensors, written and read by place.

    >>> a = TensorArray("float32", size=2)
    >>> a.write(0, 1.0).write(1, 2.0).stack().tolist()
    [1.0, 2.0]
    """

    def __init__(
        self, dtype: Any, size: Any = None, dynamic_size: bool | None = None,
        clear_after_read: bool | None = None, tensor_array_name: str | None = None,
        handle: Any = None, flow: Any = None, infer_shape: bool = True, element_shape: Any = None,
        colocate_with_first_write_call: bool = True, name: str | None = None,
    ) -> None:  # fmt: skip
        self.dtype, self.dynamic_size = as_type(dtype), bool(dynamic_size)
        self.element_shape = element_shape
        self._items: list[Any] = [None] * (0 if size is None else int(size))

    def write(self, index: Any, value: Any, name: str | None = None) -> TensorArray:
        """Put a tensor at a place; gives the array."""
        i = int(index)
        if i >= len(self._items):
            if not self.dynamic_size and self._items:
                raise IndexError(f"the array has {len(self._items)} places, got index {i}")
            self._items += [None] * (i + 1 - len(self._items))
        self._items[i] = tensor(value)
        return self

    def read(self, index: Any, name: str | None = None) -> Any:
        """The tensor at a place."""
        return self._filled()[int(index)]

    def stack(self, name: str | None = None) -> Any:
        """All tensors, along a new first axis."""
        return _stack(self._filled())

    def concat(self, name: str | None = None) -> Any:
        """All tensors, one after the other."""
        return T.cat(self._filled(), 0)

    def gather(self, indices: Any, name: str | None = None) -> Any:
        """The tensors at some places, along a new first axis."""
        items = self._filled()
        return _stack([items[i] for i in sizes(indices)])

    def unstack(self, value: Any, name: str | None = None) -> TensorArray:
        """Take the rows of a tensor."""
        self._items = list(T.unbind(tensor(value), 0))
        return self

    def size(self, name: str | None = None) -> Any:
        """How many places there are."""
        return fromdata.from_owned(np.array(len(self._items), np.int32))

    def _filled(self) -> list[Any]:
        like = next((x for x in self._items if x is not None), None)
        if like is None:
            return []
        return [
            creation.zeros(tuple(like.shape), dtype=like.dtype) if x is None else x
            for x in self._items
        ]


def print(
    *inputs: Any,
    output_stream: Any = None,
    sep: str = " ",
    end: str = "\n",
    summarize: Any = None,
    name: Any = None,
) -> None:
    """The values, to standard error, as TensorFlow does."""
    streams = {"": sys.stderr, None: sys.stderr, "stdout": sys.stdout, "stderr": sys.stderr}
    stream = (
        streams.get(output_stream, output_stream)
        if isinstance(output_stream, str | None)
        else output_stream
    )
    builtins.print(*map(_text, inputs), sep=sep, end=end, file=stream)


def _text(x: Any) -> str:
    if isinstance(x, Tensor):
        return str(x.detach().numpy())
    if isinstance(x, StringTensor):
        return str(x.text() if x.ndim else x.text().item())
    if isinstance(x, list | tuple):
        return "[" + ", ".join(map(_text, x)) + "]"
    return str(x)


def group(*inputs: Any, **kwargs: Any) -> None:
    """Nothing: operations need not be run."""


def no_op(name: str | None = None) -> None:
    """Nothing."""


class name_scope(_name_scope):
    """A block within which variables' paths begin with a name."""

    def __init__(self, name: str | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__((name or "scope").replace("/", "_"))


def executing_eagerly() -> bool:
    """Whether operations give values at once: they do, when values are looked at."""
    return True


def is_tensor(x: Any) -> bool:
    """Whether x is a tensor, a variable or a tensor of strings."""
    return isinstance(x, Tensor | StringTensor)


def is_symbolic_tensor(tensor: Any) -> bool:
    return False


def init_scope() -> Any:
    """A block."""
    return _name_scope("init")


def get_static_value(tensor: Any, partial: bool = False) -> Any:
    """The values as an array."""
    return raw(tensor)
