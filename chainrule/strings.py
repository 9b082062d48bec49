"""Strings as data: one class that data sets, `tf.strings` and the layers of preprocessing share.

There is no element type of strings in a compiled graph, so a `StringTensor` is no `Tensor`. It
holds a NumPy array of objects, each `bytes` (text as UTF-8), has a shape, the dtype "string", and
is indexed, compared and iterated as a tensor is. What takes strings asks `is_string(x)` and reads
`as_strings(x).array` (bytes) or `.text()` (str); what gives strings makes `StringTensor(array)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from chainrule.names import later
from chainrule.tensor import Size, Tensor, fromdata


class StringType(str):
    """The element type of strings: equal to its name, "string"."""

    __slots__ = ()

    name = "string"
    np = np.dtype(object)
    as_numpy_dtype = object
    is_floating_point = is_floating = is_integer = is_bool = is_complex = False

    def __repr__(self) -> str:
        return "tf.string"


STRING = StringType("string")


class StringTensor:
    """Strings in an array of any shape, as `bytes`.

    `value`: a string, bytes, nested lists or a NumPy array of them. `numpy()` gives bytes (or an
    array of them), as TensorFlow does. Raises TypeError for anything that is no string.

    >>> words = StringTensor([["a", "b"], ["c", "d"]])
    >>> words.shape, words[1, 0].numpy()
    (torch.Size([2, 2]), b'c')
    >>> (words == "b").tolist()
    [[False, True], [False, False]]
    """

    __slots__ = ("array",)
    __array_ufunc__ = None  # NumPy's == leaves the work to ours
    dtype = STRING

    def __init__(self, value: Any) -> None:
        self.array = _bytes_array(value)

    @property
    def shape(self) -> Size:
        return Size(self.array.shape)

    @property
    def ndim(self) -> int:
        return self.array.ndim

    def get_shape(self) -> Size:
        """The shape."""
        return self.shape

    def numpy(self) -> Any:
        """The bytes: a `bytes` of shape (), else an array of them."""
        return self.array.item() if self.array.ndim == 0 else self.array.copy()

    def text(self) -> np.ndarray:
        """The strings as `str`, in an array of objects."""
        return _each(lambda b: b.decode("utf-8", "replace"), self.array)

    def tolist(self) -> Any:
        return self.array.tolist()

    def map(self, function: Callable[[bytes], bytes]) -> StringTensor:
        """Another string for each."""
        return made(_each(function, self.array))

    def reshape(self, *shape: Any) -> StringTensor:
        """The same strings in another shape."""
        sizes = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return made(self.array.reshape(tuple(sizes)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.array.astype(dtype) if dtype is not None else self.array.copy()

    def __getitem__(self, index: Any) -> StringTensor:
        return made(np.asarray(self.array[_plain(index)], object))

    def __len__(self) -> int:
        if not self.array.ndim:
            raise TypeError("a string of shape () has no len(); tf.strings.length gives its length")
        return len(self.array)

    def __iter__(self) -> Iterator[StringTensor]:
        if not self.array.ndim:
            raise TypeError("a string of shape () cannot be iterated")
        return (made(np.asarray(row, object)) for row in self.array)

    def __eq__(self, other: object) -> Any:
        if not is_string(other):
            return NotImplemented
        return fromdata.from_owned(np.asarray(self.array == as_strings(other).array, bool))

    def __ne__(self, other: object) -> Any:
        same = self.__eq__(other)
        return same if same is NotImplemented else ~same

    def __add__(self, other: Any) -> StringTensor:
        return made(np.asarray(self.array + as_strings(other).array, object))

    def __radd__(self, other: Any) -> StringTensor:
        return made(np.asarray(as_strings(other).array + self.array, object))

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return bool(self.array.item())

    def __str__(self) -> str:
        return str(self.array.item() if not self.array.ndim else self.array)

    def __repr__(self) -> str:
        return f"<StringTensor: shape={tuple(self.shape)}, numpy={self.numpy()!r}>"


def made(array: np.ndarray) -> StringTensor:
    """A StringTensor over an array of bytes, which nobody else writes to."""
    out = StringTensor.__new__(StringTensor)
    out.array = array
    return out


def is_string(x: Any) -> bool:
    """Whether `x` is a string, bytes, a StringTensor, or an array or lists of strings.

    >>> is_string("a"), is_string(["a", ["b"]]), is_string([1]), is_string(np.array(["a"]))
    (True, True, False, True)
    """
    if isinstance(x, str | bytes | StringTensor):
        return True
    if isinstance(x, np.ndarray):
        return x.dtype.kind in "USO" and (not x.size or isinstance(x.flat[0], str | bytes))
    if isinstance(x, list | tuple) and x:
        return is_string(x[0])
    return False


def as_strings(x: Any) -> StringTensor:
    """`x` as a StringTensor, without a copy where it is one."""
    return x if isinstance(x, StringTensor) else StringTensor(x)


def _plain(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(_plain(i) for i in index)
    return index.numpy() if isinstance(index, Tensor) else index


def _each(function: Callable[[bytes], Any], array: np.ndarray) -> np.ndarray:
    out = np.empty(array.shape, object)
    out.reshape(-1)[:] = [function(b) for b in array.reshape(-1).tolist()]
    return out


def _bytes_array(value: Any) -> np.ndarray:
    if isinstance(value, StringTensor):
        return value.array
    if isinstance(value, list | tuple):
        value = [v.array if isinstance(v, StringTensor) else v for v in value]
    # NumPy's own type of bytes cuts zeros at the end off, so it is never passed through.
    array = value if isinstance(value, np.ndarray) else np.array(value, object)
    out = np.empty(array.shape, object)
    flat: list[Any] = array.reshape(-1).tolist()
    for i, item in enumerate(flat):
        if isinstance(item, str):
            flat[i] = item.encode()
        elif isinstance(item, StringTensor):
            flat[i] = item.array.item()
        elif not isinstance(item, bytes):
            raise TypeError(f"expected strings, got {type(item).__name__}: {item!r:.60}")
    out.reshape(-1)[:] = flat
    return out


__getattr__ = later(__name__, also="chainrule.tensorflow.strings")
