"""Strings and whole numbers in buckets, by hashes that are the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.hashes import concatenated, fingerprint64, siphash
from chainrule.keras.layers.preprocessing.data_layer import EagerLayer
from chainrule.keras.layers.preprocessing.encoding import (
    MODES,
    encode,
    encoded_shape,
    refuse_sparse,
)
from chainrule.keras.registry import known
from chainrule.keras.settings import floatx
from chainrule.keras.symbolic import KerasTensor
from chainrule.strings import StringTensor
from chainrule.tensor import Tensor, fromdata


def buckets(x: Tensor | StringTensor, count: int, salt: Any = None) -> np.ndarray:
    """The bucket in [0, count) of every entry: by FarmHash, or with a salt by SipHash. Numbers are
    hashed as their digits.
    """

    def bucket(data: bytes) -> int:
        return (fingerprint64(data) if salt is None else siphash(data, (salt[0], salt[1]))) % count

    if isinstance(x, StringTensor):
        return _each(bucket, x.array)
    return _each(lambda n: bucket(b"%d" % n), x.detach().numpy().astype(np.int64))


def _each(function: Callable[[Any], int], array: np.ndarray) -> np.ndarray:
    """`function` of every entry, computed once for equal ones."""
    flat = array.reshape(-1).tolist()
    found = {value: function(value) for value in set(flat)}
    return np.array([found[value] for value in flat], np.int64).reshape(array.shape)


def salt_of(salt: Any, kind: str) -> list[int] | None:
    """Two whole numbers from one or two."""
    if salt is None:
        return None
    if isinstance(salt, int):
        return [salt, salt]
    if isinstance(salt, tuple | list) and len(salt) == 2:
        return list(salt)
    raise ValueError(
        f"The `salt` argument for `{kind}` can only be a tuple of size 2 integers, or a single "
        f"integer. Received: salt={salt}."
    )


@known
class Hashing(EagerLayer):
    """A bucket for every string or whole number.

    `num_bins` buckets; with `mask_value` bucket 0 is kept for it. FarmHash, or SipHash with a
    `salt`, as in TensorFlow.

    >>> Hashing(num_bins=3)([["A"], ["B"], ["C"], ["D"], ["E"]]).tolist()
    [[1], [0], [1], [1], [2]]
    """

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = "int64" if output_mode == "int" else floatx()
        super().__init__(**kwargs)
        if num_bins is None or num_bins <= 0:
            raise ValueError(
                "The `num_bins` for `Hashing` cannot be `None` or non-positive values. Received: "
                f"num_bins={num_bins}."
            )
        if output_mode == "int" and self.dtype_policy.name not in ("int32", "int64"):
            raise ValueError(
                "When `output_mode=\"int\"`, `dtype` should be an integer type, 'int32' or "
                f"'in64'. Received: dtype={kwargs['dtype']}"
            )
        if output_mode not in MODES:
            raise ValueError(
                f"Invalid value for argument `output_mode`. Expected one of {MODES}. Received: "
                f"output_mode={output_mode}"
            )
        if sparse and output_mode == "int":
            raise ValueError(
                '`sparse` may only be true if `output_mode` is `"one_hot"`, `"multi_hot"`, or '
                f'`"count"`. Received: sparse={sparse} and output_mode={output_mode}'
            )
        refuse_sparse(sparse)
        self.num_bins = num_bins
        self.mask_value = mask_value
        self.salt = salt_of(salt, "Hashing")
        self.output_mode = output_mode
        self.sparse = sparse

    def call(self, inputs: Any) -> Tensor:
        count, masked = self.num_bins, None
        if self.mask_value is not None and count > 1:
            count -= 1
            masked = (inputs == self.mask_value).numpy()
        found = buckets(inputs, count, self.salt)
        if masked is not None:
            found = np.where(masked, 0, found + 1)
        return encode(fromdata.from_owned(found), self.output_mode, self.num_bins, self.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self.output_mode != "one_hot":
            return encoded_shape(input_shape, self.output_mode, self.num_bins)
        return (*tuple(input_shape)[:-1], self.num_bins) if input_shape else (self.num_bins,)

    def _output_dtype(self, tensor: Any) -> str:
        return self.dtype


@known
class HashedCrossing(EagerLayer):
    """A bucket for every combination of two or more features.

    >>> cross = HashedCrossing(num_bins=5)
    >>> cross((np.array(["A", "B", "A"]), np.array([101, 101, 102]))).tolist()
    [1, 4, 3]
    """

    several_inputs = True

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        if output_mode == "int" and dtype is None:
            dtype = "int64"
        super().__init__(name=name, dtype=dtype)
        if output_mode not in ("int", "one_hot"):
            raise ValueError(
                "Unknown `output_mode` argument of HashedCrossing: it must be 'int' or 'one_hot', "
                f"got {output_mode!r}"
            )
        refuse_sparse(sparse)
        self.num_bins = num_bins
        self.output_mode = output_mode
        self.sparse = sparse

    def call(self, inputs: Any) -> Tensor:
        columns = self._checked(inputs)
        shape = tuple(columns[0].shape)
        hashed = [np.full(shape, 0xDECAFCAFFE, object)]  # TensorFlow's key
        for column in columns:
            if isinstance(column, StringTensor):
                array, hash_of = column.array, _fingerprint
            else:
                array, hash_of = column.numpy().astype(np.int64), _as_it_is
            codes = [hash_of(v) for v in array.reshape(-1).tolist()]
            before = hashed[-1].reshape(-1).tolist()
            joined = np.empty(len(codes), object)
            joined[:] = [concatenated(a, b) for a, b in zip(before, codes, strict=True)]
            hashed.append(joined.reshape(shape))
        found = np.array([h % self.num_bins for h in hashed[-1].reshape(-1)], np.int64)
        return encode(
            fromdata.from_owned(found.reshape(shape)), self.output_mode, self.num_bins, self.dtype
        )

    def _checked(self, inputs: Any) -> list[Any]:
        if not isinstance(inputs, list | tuple):
            raise ValueError(
                "`HashedCrossing` should be called on a list or tuple of inputs. Received: "
                f"inputs={inputs}"
            )
        if len(inputs) < 2:
            raise ValueError(
                "`HashedCrossing` should be called on at least two inputs. Received: "
                f"inputs={inputs}"
            )
        shape = tuple(inputs[0].shape)
        if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
            raise ValueError(
                "All `HashedCrossing` inputs should have shape `()`, `(batch_size)` or "
                f"`(batch_size, 1)`. Received: inputs={inputs}"
            )
        if any(tuple(x.shape) != shape for x in inputs):
            raise ValueError(
                f"All `HashedCrossing` inputs should have equal shape. Received: inputs={inputs}"
            )
        if any(isinstance(x, Tensor) and x.dtype.is_floating_point for x in inputs):
            raise ValueError(
                "All `HashedCrossing` inputs should have an integer or string dtype. Received: "
                f"inputs={inputs}"
            )
        return list(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if (
            len(input_shape) != 2
            or not isinstance(input_shape[0], tuple)
            or not isinstance(input_shape[1], tuple)
        ):
            raise ValueError(
                f"Expected as input a list/tuple of 2 tensors. Received input_shape={input_shape}"
            )
        if input_shape[0][-1:] != input_shape[1][-1:]:
            raise ValueError(
                "Expected the two input tensors to have identical shapes. Received "
                f"input_shape={input_shape}"
            )
        return encoded_shape(input_shape[0], self.output_mode, self.num_bins)

    def compute_output_spec(self, inputs: Any, **kwargs: Any) -> Any:
        shape = self.compute_output_shape([tuple(x.shape) for x in inputs])
        return KerasTensor(shape, self.dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            "num_bins": self.num_bins,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "name": self.name,
            "dtype": self.dtype,
        }


def _fingerprint(value: Any) -> int:
    return fingerprint64(value)


def _as_it_is(value: Any) -> int:
    return int(value) & 0xFFFFFFFFFFFFFFFF
