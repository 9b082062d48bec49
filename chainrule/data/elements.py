"""What an element of a data set is.

An element is a structure (tuples, named tuples, dicts) of leaves. Outside, a leaf is a Tensor, a
StringTensor, a Dataset or None. Inside a pipeline it is *raw*: a NumPy array in place of the
tensors (of objects for strings), because stacking and choosing arrays costs less than recording it.
A list is no structure: as in TensorFlow it is one array, and a function's result that is a list is
taken as a tuple.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.data.errors import InvalidArgumentError
from chainrule.dtypes import DType
from chainrule.strings import STRING, StringTensor, is_string, made
from chainrule.tensor import Tensor
from chainrule.tensor.handle import from_array


class TensorShape(tuple[int | None, ...]):
    """A shape with None where a size is open, or of an unknown number of axes.

    >>> TensorShape([None, 3]).as_list()
    [None, 3]
    """

    unknown: bool

    def __new__(cls, dims: Any = None) -> TensorShape:
        if isinstance(dims, int):
            dims = (dims,)
        sizes = () if dims is None else (None if n is None or n == -1 else int(n) for n in dims)
        made = super().__new__(cls, sizes)
        made.unknown = dims is None or getattr(dims, "unknown", False)
        return made

    @property
    def rank(self) -> int | None:
        return None if self.unknown else len(self)

    ndims = rank

    @property
    def dims(self) -> list[int | None] | None:
        return None if self.unknown else list(self)

    def as_list(self) -> list[int | None]:
        """The sizes as a list; ValueError where the number of axes is unknown."""
        if self.unknown:
            raise ValueError("as_list() is not defined on an unknown TensorShape")
        return list(self)

    def is_fully_defined(self) -> bool:
        return not self.unknown and None not in self

    def num_elements(self) -> int | None:
        return int(np.prod(self.as_list())) if self.is_fully_defined() else None  # type: ignore[arg-type]

    def is_compatible_with(self, other: Any) -> bool:
        """Whether a tensor could have both shapes."""
        other = TensorShape(other)
        if self.unknown or other.unknown:
            return True
        return len(self) == len(other) and all(
            a is None or b is None or a == b for a, b in zip(self, other, strict=True)
        )

    def concatenate(self, other: Any) -> TensorShape:
        return TensorShape((*self, *TensorShape(other)))

    def __repr__(self) -> str:
        return f"TensorShape({None if self.unknown else list(self)})"


class TensorSpec:
    """The shape and the type that a tensor has to have.

    >>> TensorSpec((None, 3), "float32")
    TensorSpec(shape=(None, 3), dtype=tf.float32, name=None)
    """

    def __init__(self, shape: Any = None, dtype: Any = dtypes.float32, name: Any = None) -> None:
        self.shape = TensorShape(shape)
        self.dtype = as_type(dtype)
        self.name = name

    @classmethod
    def from_tensor(cls, tensor: Any, name: str | None = None) -> TensorSpec:
        return cls(tensor.shape, tensor.dtype, name)

    @classmethod
    def from_spec(cls, spec: TensorSpec, name: str | None = None) -> TensorSpec:
        return cls(spec.shape, spec.dtype, name or spec.name)

    def is_compatible_with(self, other: Any) -> bool:
        """Whether a tensor or a spec fits this one."""
        return bool(self.dtype == other.dtype and self.shape.is_compatible_with(other.shape))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TensorSpec)
            and (self.dtype, self.shape, self.shape.unknown)
            == (other.dtype, other.shape, other.shape.unknown)
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash((str(self.dtype), self.shape))

    def __repr__(self) -> str:
        shape = "<unknown>" if self.shape.unknown else tuple(self.shape)
        name = self.dtype.name
        return f"TensorSpec(shape={shape}, dtype=tf.{name}, name={self.name!r})"


class DatasetSpec:
    """The spec of a data set that is an element of another one."""

    def __init__(self, element_spec: Any, dataset_shape: Any = ()) -> None:
        self.element_spec, self.dataset_shape = element_spec, dataset_shape

    def __repr__(self) -> str:
        return f"DatasetSpec({self.element_spec!r}, TensorShape({list(self.dataset_shape)}))"


def as_type(dtype: Any) -> Any:
    """An element type, strings among them."""
    if dtype is str or dtype is bytes or (isinstance(dtype, str) and dtype == "string"):
        return STRING
    if dtype is int:
        return dtypes.int32
    return dtypes.as_dtype(dtype)


def type_of(array: np.ndarray) -> Any:
    """The element type of a raw leaf."""
    return STRING if array.dtype == object else dtypes.from_numpy(array.dtype)


# Structures ---------------------------------------------------------------------------------------


def mapped(function: Callable[..., Any], structure: Any, *others: Any) -> Any:
    """`function` of each leaf, and of the leaves at its place in the others.

    >>> mapped(lambda a, b: a + b, (1, {"x": 2}), (10, {"x": 20}))
    (11, {'x': 22})
    """
    if isinstance(structure, dict):
        _check_same(structure, others)
        pairs = {
            k: mapped(function, v, *(other[k] for other in others)) for k, v in structure.items()
        }
        return pairs if type(structure) is dict else type(structure)(pairs)
    if isinstance(structure, tuple):
        _check_same(structure, others)
        items = [mapped(function, *parts) for parts in zip(structure, *others, strict=True)]
        return type(structure)(*items) if hasattr(structure, "_fields") else tuple(items)
    return function(structure, *others)


def _check_same(structure: Any, others: tuple[Any, ...]) -> None:
    for other in others:
        if not isinstance(other, dict | tuple | list) or len(other) != len(structure):
            raise ValueError(
                f"the structures differ: {type(structure).__name__} of {len(structure)} and "
                f"{other!r:.80}"
            )


def leaves(structure: Any) -> Iterator[Any]:
    """The leaves from left to right."""
    if isinstance(structure, dict):
        structure = tuple(structure.values())
    if isinstance(structure, tuple):
        for part in structure:
            yield from leaves(part)
    else:
        yield structure


def first_leaf(structure: Any) -> Any:
    """The first leaf that is there."""
    for leaf in leaves(structure):
        if leaf is not None:
            return leaf
    raise ValueError("a data set needs at least one tensor in its elements, got none")


def call(function: Callable[..., Any], element: Any) -> Any:
    """A function of an element: a tuple's parts are its arguments."""
    return function(*element) if type(element) is tuple else function(element)


# Leaves -------------------------------------------------------------------------------------------

_WIDER = {"uint16": np.int32, "uint32": np.int64, "uint64": np.int64, "longdouble": np.float64}


def raw(x: Any) -> Any:
    """A leaf as it is kept inside: an array, or what is no tensor."""
    if x is None or hasattr(x, "step"):
        return x
    if isinstance(x, Tensor):
        return x._concrete()
    if isinstance(x, StringTensor):
        return x.array
    if is_string(x):
        return StringTensor(x).array
    if isinstance(x, np.ndarray | np.generic):
        return _supported(np.asarray(x))
    if isinstance(x, bool | int | float | complex | list | tuple):
        return _python(x)
    return _supported(np.asarray(x))


def _supported(array: np.ndarray) -> np.ndarray:
    wider = _WIDER.get(array.dtype.name)
    if wider is not None:
        return array.astype(wider)
    if array.dtype == object:
        if array.size and isinstance(array.flat[0], str | bytes):
            return StringTensor(array).array
        raise ValueError(
            "a data set takes numbers and strings, got an array of objects"
            + (f" such as {array.flat[0]!r:.40}" if array.size else "")
            + "; rows of unlike lengths: use from_generator, or pad them first"
        )
    return array


def _python(x: Any) -> np.ndarray:
    """Python's numbers take TensorFlow's types: int32 and float32."""
    if isinstance(x, list | tuple) and any(isinstance(i, Tensor | StringTensor) for i in x):
        parts = [raw(i) for i in x]
        return np.stack(parts)
    array = np.asarray(x)
    if isinstance(x, list | tuple) and _has_array(x):
        return _supported(array)
    if array.dtype == np.float64:
        return array.astype(np.float32)
    if array.dtype == np.int64 and array.size and abs(array).max() < 2**31:
        return array.astype(np.int32)
    return _supported(array)


def _has_array(x: Any) -> bool:
    while isinstance(x, list | tuple) and x:
        x = x[0]
    return isinstance(x, np.ndarray | np.generic)


def wrap(leaf: Any) -> Any:
    """A raw leaf as programs see it."""
    if isinstance(leaf, np.ndarray):
        return made(leaf) if leaf.dtype == object else from_array(leaf)
    return leaf


def result(value: Any) -> Any:
    """What a program's function gave, as a raw structure."""
    if isinstance(value, list):
        value = tuple(value)
    if isinstance(value, dict):
        changed = {k: result(v) for k, v in value.items()}
        return changed if type(value) is dict else type(value)(changed)
    if isinstance(value, tuple):
        parts = [result(v) for v in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return raw(value)


def spec(leaf: Any) -> Any:
    """The spec of a raw leaf."""
    if isinstance(leaf, np.ndarray):
        return TensorSpec(leaf.shape, type_of(leaf))
    return DatasetSpec(leaf.element_spec) if hasattr(leaf, "step") else None


def stack(elements: list[Any]) -> Any:
    """Elements as one, with a first axis more."""
    return mapped(_stacked, elements[0], *elements[1:])


def _stacked(*parts: Any) -> Any:
    first = parts[0]
    if first is None:
        return None
    if not isinstance(first, np.ndarray):
        raise TypeError(
            "data sets within elements cannot be batched; use flat_map first, as in "
            "windows.flat_map(lambda w: w.batch(n))"
        )
    try:
        return np.stack(parts)
    except ValueError:
        shapes = sorted({p.shape for p in parts})
        raise InvalidArgumentError(
            f"Cannot batch tensors with different shapes: {', '.join(map(str, shapes[:4]))}. "
            "Use padded_batch, or make them equal in map()."
        ) from None


def row(block: Any, i: int) -> Any:
    """One element of stacked ones."""
    return mapped(lambda a: None if a is None else a[i, ...], block)


def length(block: Any) -> int:
    """How many elements are stacked in a block."""
    return len(first_leaf(block))


def join(blocks: list[Any]) -> Any:
    """Blocks, one after the other, as one."""
    if len(blocks) == 1:
        return blocks[0]
    return mapped(
        lambda *parts: None if parts[0] is None else np.concatenate(parts), blocks[0], *blocks[1:]
    )


def cut(block: Any, first: int, last: int) -> Any:
    """Some rows of a block."""
    return mapped(lambda a: None if a is None else a[first:last], block)


def exactly(blocks: Iterable[Any], n: int) -> Iterator[Any]:
    """The same rows in blocks of n, but for the last one."""
    waiting: list[Any] = []
    have = 0
    for block in blocks:
        size = length(block)
        if not waiting and size == n:
            yield block
            continue
        first = 0
        while have + size - first >= n:
            last = first + n - have
            yield join([*waiting, cut(block, first, last)])
            waiting, have, first = [], 0, last
        if first < size:
            waiting.append(cut(block, first, size))
            have += size - first
    if waiting:
        yield join(waiting)


def dtype_of(spec: Any) -> DType:
    """The numeric type in a spec."""
    found: DType = spec.dtype
    return found
