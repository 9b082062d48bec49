"""Data sets that read something: arrays, a generator, numbers, files."""

from __future__ import annotations

import gzip
import itertools
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from chainrule.data.elements import TensorSpec, as_type, mapped, raw, spec, wrap
from chainrule.data.errors import InvalidArgumentError, NotFoundError
from chainrule.data.pipeline import INFINITE, Rows, Step
from chainrule.runtime.random import stream


class Slices(Step):
    """Arrays in memory, by their first axis."""

    def __init__(self, arrays: Any) -> None:
        self.arrays = arrays
        sizes = []

        def check(array: Any) -> None:
            if not isinstance(array, np.ndarray) or not array.ndim:
                raise ValueError(
                    "from_tensor_slices needs arrays with a first axis, got "
                    f"{'a scalar' if isinstance(array, np.ndarray) else type(array).__name__}; "
                    "from_tensors takes any"
                )
            sizes.append(len(array))

        mapped(check, arrays)
        if len(set(sizes)) != 1:
            raise ValueError(
                f"arrays of one data set need the same first size, got {', '.join(map(str, sizes))}"
            )
        self.size = sizes[0]

    def rows(self) -> Rows:
        return Rows(self.size, lambda at: mapped(lambda a: _take(a, at), self.arrays))

    def count(self) -> int:
        return self.size

    def spec(self) -> Any:
        return mapped(lambda a: TensorSpec(a.shape[1:], spec(a).dtype), self.arrays)


def _take(array: np.ndarray, at: Any) -> np.ndarray:
    return array[at] if isinstance(at, slice) else array.take(at, 0)


class Whole(Step):
    """One element."""

    def __init__(self, element: Any) -> None:
        self.element = element

    def elements(self) -> Iterator[Any]:
        yield self.element

    def blocks(self, n: int) -> Iterator[Any] | None:
        return None

    def count(self) -> int:
        return 1

    def spec(self) -> Any:
        return mapped(spec, self.element)


class Generated(Step):
    """What a program's generator yields; each pass calls it again."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], signature: Any) -> None:
        self.function, self.args, self.signature = function, args, signature

    def elements(self) -> Iterator[Any]:
        for value in self.function(*(raw(a) for a in self.args)):
            yield mapped(_typed, self.signature, _like(self.signature, value))

    def spec(self) -> Any:
        return self.signature


def _like(signature: Any, value: Any) -> Any:
    """Lists for tuples, as generators yield them."""
    if isinstance(signature, tuple) and isinstance(value, list):
        return tuple(value)
    return value


def _typed(signature: TensorSpec, value: Any) -> Any:
    if not isinstance(signature, TensorSpec):
        return raw(value)
    wanted = as_type(signature.dtype)
    array = raw(value)
    if wanted == "string":
        if array.dtype != object:
            raise TypeError(
                f"the generator gave {array.dtype} where its signature says string: {value!r:.60}"
            )
    elif array.dtype == object:
        raise TypeError(
            f"the generator gave strings where its signature says {wanted.name}: {value!r:.60}"
        )
    elif array.dtype != wanted.np:
        array = array.astype(wanted.np)
    if not signature.shape.is_compatible_with(array.shape):
        raise InvalidArgumentError(
            f"the generator gave an element of shape {array.shape} where its signature says "
            f"{signature.shape}"
        )
    return array


class Numbers(Step):
    """start, start + step, … below stop."""

    def __init__(self, start: int, stop: int, step: int, dtype: Any) -> None:
        self.numbers, self.dtype = range(start, stop, step), as_type(dtype)

    def rows(self) -> Rows:
        first, step, dtype = self.numbers.start, self.numbers.step, self.dtype.np

        def gather(at: Any) -> np.ndarray:
            where = np.arange(*at.indices(len(self.numbers))) if isinstance(at, slice) else at
            return np.asarray(first + where * step, dtype)

        return Rows(len(self.numbers), gather)

    def count(self) -> int:
        return len(self.numbers)

    def spec(self) -> Any:
        return TensorSpec((), self.dtype)


class Counter(Step):
    """start, start + step, … without end."""

    def __init__(self, start: int, step: int, dtype: Any) -> None:
        self.start, self.stride, self.dtype = start, step, as_type(dtype)

    def elements(self) -> Iterator[Any]:
        return (np.array(n, self.dtype.np) for n in itertools.count(self.start, self.stride))

    def blocks(self, n: int) -> Iterator[Any] | None:
        return None

    def count(self) -> int:
        return INFINITE

    def spec(self) -> Any:
        return TensorSpec((), self.dtype)


class Chances(Step):
    """Random whole numbers without end."""

    def __init__(self, seed: int | None) -> None:
        self.seed = seed

    def elements(self) -> Iterator[Any]:
        made = stream("shuffle").numpy() if self.seed is None else np.random.default_rng(self.seed)
        return (np.array(made.integers(0, 2**31)) for _ in itertools.count())

    def count(self) -> int:
        return INFINITE

    def spec(self) -> Any:
        return TensorSpec((), "int64")


class Lines(Step):
    """The lines of text files."""

    def __init__(self, files: Any, compression: str | None) -> None:
        self.files, self.compression = files, known_compression(compression)

    def elements(self) -> Iterator[Any]:
        for name in names_of(self.files):
            for line in lines(name, self.compression):
                yield np.array(line.removesuffix(b"\n").removesuffix(b"\r"), object)

    def spec(self) -> Any:
        return TensorSpec((), "string")


def known_compression(compression: str | None) -> str:
    """ "", "GZIP" or "ZLIB"; else a ValueError."""
    if compression not in (None, "", "GZIP", "ZLIB"):
        raise ValueError(f'compression_type is "", "GZIP" or "ZLIB", got {compression!r}')
    return compression or ""


def lines(file: str, compression: str) -> Iterator[bytes]:
    """The lines of a file with their ends. Raises NotFoundError."""
    try:
        if compression == "GZIP":
            with gzip.open(file) as zipped:
                yield from zipped
        elif compression == "ZLIB":
            with open(file, "rb") as packed:
                yield from zlib.decompress(packed.read()).splitlines(keepends=True)
        else:
            with open(file, "rb") as plain:
                yield from plain
    except FileNotFoundError as error:
        raise NotFoundError(f"{file}: no such file") from error


def names_of(files: Any) -> list[str]:
    """File names out of a string, strings, or a data set of strings."""
    if hasattr(files, "step"):
        return [str(name) for e in files.step.elements() for name in wrap(e).reshape(-1).text()]
    array = raw(str(files) if hasattr(files, "__fspath__") else files)
    return [str(name) for name in wrap(array).reshape(-1).text()]
