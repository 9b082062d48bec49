"""Data sets that change what another one gives."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from chainrule.data import elements as E
from chainrule.data.errors import DataLossError, InvalidArgumentError
from chainrule.data.pipeline import (
    BLOCK,
    INFINITE,
    UNKNOWN,
    Changed,
    Rows,
    Step,
    chosen,
    ordered,
)
from chainrule.func.vmap import vmap
from chainrule.runtime import random
from chainrule.tensor import Tensor, fromdata, no_grad

AUTOTUNE = -1
INFINITE_CARDINALITY, UNKNOWN_CARDINALITY = INFINITE, UNKNOWN


class Mapped(Changed):
    """A program's function of every element.

    In memory, the function is recorded once for a whole block (`vmap`). Where it cannot be, because
    it looks at values, reads files, works on strings or draws numbers through NumPy, it is called
    for one element after the other.
    """

    def __init__(self, source: Step, function: Callable[..., Any]) -> None:
        super().__init__(source)
        self.function = function
        self._whole: bool | None = None

    def one(self, element: Any) -> Any:
        with no_grad():
            return E.result(E.call(self.function, E.mapped(E.wrap, element)))

    def elements(self) -> Iterator[Any]:
        return Step.elements(self) if self.takes_blocks() else map(self.one, self.source.elements())

    def blocks(self, n: int) -> Iterator[Any] | None:
        blocks = self.source.blocks(n) if self.takes_blocks() else None
        return None if blocks is None else map(self.many, blocks)

    def rows(self) -> Rows | None:
        rows = self.source.rows() if self.takes_blocks() else None
        return rows and Rows(rows.size, lambda at: self.many(rows.gather(at)))

    def example(self) -> Any:
        block = self.source.example() if self.takes_blocks() else None
        return None if block is None else self.many(block)

    def spec(self) -> Any:
        block = self.example()
        return super(Changed, self).spec() if block is None else E.mapped(_without_first, block)

    def takes_blocks(self) -> bool:
        """Whether the function can be recorded for a block, tried once."""
        if self._whole is None:
            block = self.source.example()
            self._whole = block is not None and self._tries(block)
        return self._whole

    def _tries(self, block: Any) -> bool:
        if any(a is None or not isinstance(a, np.ndarray) or a.dtype == object
               for a in E.leaves(block)):  # fmt: skip
            return False
        before, drawn = random.get_state(), random.Generator.handed_out
        try:
            self.many(block)
        except Exception:  # whatever the reason: the call for one element says it again
            return False
        finally:
            random.set_state(before)
        return random.Generator.handed_out == drawn

    def many(self, block: Any) -> Any:
        """The function of all elements of a block."""
        structure: list[Any] = []

        def flat(*leaves: Tensor) -> tuple[Tensor, ...]:
            parts = iter(leaves)
            value = E.call(self.function, E.mapped(lambda _: next(parts), block))
            structure[:] = [_structured(value)]
            return tuple(E.leaves(structure[0]))

        with no_grad():
            out = vmap(flat, randomness="different")(*(E.wrap(a) for a in E.leaves(block)))
        parts = iter([t._concrete() for t in out])
        return E.mapped(lambda _: next(parts), structure[0])


def _structured(value: Any) -> Any:
    """A function's result with tensors for leaves."""
    if isinstance(value, list):
        value = tuple(value)
    return E.mapped(
        lambda x: x if isinstance(x, Tensor) else fromdata.from_owned(np.asarray(E.raw(x))), value
    )


def _without_first(array: np.ndarray) -> Any:
    return E.TensorSpec(array.shape[1:], E.type_of(array))


class Batched(Changed):
    """n elements in one."""

    def __init__(self, source: Step, n: int, drop_remainder: bool) -> None:
        super().__init__(source)
        self.n, self.drop = _positive(n, "batch_size"), drop_remainder

    def elements(self) -> Iterator[Any]:
        blocks = self.source.blocks(self.n)
        for batch in self._stacked() if blocks is None else E.exactly(blocks, self.n):
            if not self.drop or E.length(batch) == self.n:
                yield batch

    def _stacked(self) -> Iterator[Any]:
        source = self.source.elements()
        while part := list(itertools.islice(source, self.n)):
            yield E.stack(part)

    def blocks(self, n: int) -> Iterator[Any] | None:
        return None

    def example(self) -> Any:
        return None

    def count(self) -> int:
        n = self.source.count()
        return n if n < 0 else n // self.n if self.drop else -(-n // self.n)

    def spec(self) -> Any:
        size = self.n if self.drop else None
        return E.mapped(lambda s: _longer(s, size), self.source.spec())


def _longer(spec: Any, size: int | None) -> Any:
    if not isinstance(spec, E.TensorSpec):
        return spec
    shape = None if spec.shape.unknown else (size, *spec.shape)
    return E.TensorSpec(shape, spec.dtype)


class Padded(Batched):
    """n elements in one, the shorter ones filled up."""

    def __init__(self, source: Step, n: int, shapes: Any, values: Any, drop: bool) -> None:
        super().__init__(source, n, drop)
        self.shapes, self.values = shapes, values

    def elements(self) -> Iterator[Any]:
        source = self.source.elements()
        while part := list(itertools.islice(source, self.n)):
            if not self.drop or len(part) == self.n:
                yield pad_and_stack(part, self.shapes, self.values)

    def spec(self) -> Any:
        size = None if not self.drop else self.n

        def open_(spec: Any) -> Any:
            return E.TensorSpec((size, *(None for _ in spec.shape)), spec.dtype)

        if self.shapes is None:
            return E.mapped(open_, self.source.spec())
        shapes = spread(self.shapes, self.source.spec())
        return E.mapped(
            lambda s, shape: E.TensorSpec((size, *shape.shape), s.dtype), self.source.spec(), shapes
        )


class _Shape:
    """A shape as a leaf: the structure of shapes follows that of the elements."""

    def __init__(self, shape: Any) -> None:
        self.shape = E.TensorShape(shape)


def spread(shapes: Any, like: Any) -> Any:
    """Shapes at the places of an element's leaves."""
    if isinstance(like, dict):
        return {k: spread(shapes[k], v) for k, v in like.items()}
    if isinstance(like, tuple):
        if len(shapes) != len(like):
            raise ValueError(
                f"padded_shapes has {len(shapes)} parts, an element has {len(like)}: {shapes!r}"
            )
        return tuple(spread(s, part) for s, part in zip(shapes, like, strict=True))
    if isinstance(shapes, np.ndarray | Tensor):
        shapes = np.asarray(shapes).tolist()
    return _Shape(shapes)


def pad_and_stack(elements: list[Any], shapes: Any, values: Any) -> Any:
    """Elements in one, each filled up with `values` to `shapes` (None: to the largest)."""
    places = E.mapped(lambda _: None, elements[0]) if shapes is None else spread(
        shapes, elements[0]
    )  # fmt: skip
    if isinstance(values, tuple | dict):
        values = E.mapped(lambda _, v: _Value(v), elements[0], values)
    else:
        values = E.mapped(lambda _: _Value(values), elements[0])

    def padded(place: Any, value: _Value, *arrays: np.ndarray) -> np.ndarray:
        first = arrays[0]
        wanted = (None,) * first.ndim if place is None else place.shape
        if len(wanted) != first.ndim:
            raise InvalidArgumentError(
                f"padded_shapes names {len(wanted)} axes, the element has shape {first.shape}"
            )
        largest = [max(sizes) for sizes in zip(*(a.shape for a in arrays), strict=True)]
        shape = [m if n is None else n for n, m in zip(wanted, largest, strict=True)]
        if any(m > n for n, m in zip(shape, largest, strict=True)):
            raise DataLossError(
                f"an element of shape {tuple(largest)} does not fit into padded_shapes {shape}"
            )
        out = np.empty((len(arrays), *shape), first.dtype)
        out[...] = value.of(first.dtype)
        for i, array in enumerate(arrays):
            place = tuple(slice(n) for n in array.shape)
            out[i, ...][place] = array
        return out

    return E.mapped(padded, places, values, *elements)


class _Value:
    """What elements are filled up with; by default 0 or the empty string."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def of(self, dtype: np.dtype) -> Any:
        if self.value is None:
            return b"" if dtype.kind == "O" else np.zeros((), dtype)
        value = E.raw(self.value)
        return value.item() if dtype.kind == "O" else value.astype(dtype)


class Unbatched(Changed):
    """The rows of every element."""

    def elements(self) -> Iterator[Any]:
        return Step.elements(self)

    def blocks(self, n: int) -> Iterator[Any] | None:
        return self.source.elements()

    def example(self) -> Any:
        return None

    def count(self) -> int:
        n = self.source.count()
        size = E.first_leaf(self.source.spec()).shape[:1] if n >= 0 else ()
        return n * size[0] if size and size[0] is not None else INFINITE if n == INFINITE else -2

    def spec(self) -> Any:
        return E.mapped(lambda s: E.TensorSpec(s.shape[1:], s.dtype), self.source.spec())


class Shuffled(Changed):
    """The elements in random order: each is drawn from a buffer of the next ones.

    A buffer that holds all of them gives every order with equal chance.
    """

    def __init__(self, source: Step, buffer: int, seed: int | None, again: bool) -> None:
        super().__init__(source)
        self.buffer, self.seed, self.again = buffer, seed, again
        if buffer < 1:
            self.buffer = _positive(source.count(), "buffer_size")  # UNKNOWN has no sense here
        self._passes, self._key = 0, seed

    def _numbers(self) -> np.random.Generator:
        if self.seed is None and self.again:
            return random.stream("shuffle").numpy()
        if self._key is None:
            self._key = int(random.stream("shuffle").numpy().integers(2**62))
        self._passes += self.again
        return np.random.default_rng([self._key, self._passes])

    def elements(self) -> Iterator[Any]:
        if self.source.rows() is not None:
            return Step.elements(self)
        return self._drawn()

    def _drawn(self) -> Iterator[Any]:
        numbers = self._numbers()
        held: list[Any] = []
        for element in self.source.elements():
            if len(held) < self.buffer:
                held.append(element)
                continue
            i = int(numbers.integers(self.buffer))
            held[i], element = element, held[i]
            yield element
        numbers.shuffle(held)
        yield from held

    def blocks(self, n: int) -> Iterator[Any] | None:
        rows = self.source.rows()
        return None if rows is None else self._ordered(rows, n)

    def _ordered(self, rows: Rows, n: int) -> Iterator[Any]:
        yield from ordered(rows, self._order(rows.size), n)

    def _order(self, count: int) -> np.ndarray:
        numbers = self._numbers()
        if self.buffer >= count:
            return numbers.permutation(count)
        order = np.empty(count, np.int64)
        held = list(range(self.buffer))
        at = numbers.integers(self.buffer, size=count - self.buffer).tolist()
        for place, (new, i) in enumerate(zip(range(self.buffer, count), at, strict=True)):
            order[place] = held[i]
            held[i] = new
        order[count - self.buffer :] = numbers.permutation(held)
        return order


class Repeated(Changed):
    """The same again, `times` times or without end (-1)."""

    def __init__(self, source: Step, times: int) -> None:
        super().__init__(source)
        self.times = times

    def _rounds(self) -> Iterator[int]:
        return itertools.count() if self.times < 0 else iter(range(self.times))

    def elements(self) -> Iterator[Any]:
        for _ in self._rounds():
            empty = True
            for element in self.source.elements():
                empty = False
                yield element
            if empty:
                return

    def blocks(self, n: int) -> Iterator[Any] | None:
        first = self.source.blocks(n)
        return None if first is None else self._chained(n)

    def _chained(self, n: int) -> Iterator[Any]:
        for _ in self._rounds():
            empty = True
            for block in self.source.blocks(n) or ():
                empty = False
                yield block
            if empty:
                return

    def count(self) -> int:
        n = self.source.count()
        if self.times == 0 or n == 0:
            return 0
        if self.times < 0:
            return INFINITE
        return n if n < 0 else n * self.times


class Sliced(Changed):
    """The elements first, first + step, … below last (None: all)."""

    def __init__(self, source: Step, first: int, last: int | None, step: int = 1) -> None:
        super().__init__(source)
        self.first, self.last, self.step = first, last, step

    def elements(self) -> Iterator[Any]:
        if self.source.rows() is not None:
            return Step.elements(self)
        return itertools.islice(self.source.elements(), self.first, self.last, self.step)

    def blocks(self, n: int) -> Iterator[Any] | None:
        rows = self.rows()
        if rows is not None:
            return Step.blocks(self, n)
        if self.first == 0 and self.step == 1 and self.last is not None:
            blocks = self.source.blocks(n)
            return None if blocks is None else self._head(blocks, self.last)
        return None

    def _head(self, blocks: Iterator[Any], left: int) -> Iterator[Any]:
        while left > 0:
            block = next(blocks, None)
            if block is None:
                return
            if E.length(block) > left:
                block = E.cut(block, 0, left)
            left -= E.length(block)
            yield block

    def rows(self) -> Rows | None:
        rows = self.source.rows()
        return rows and chosen(rows, range(rows.size)[self.first : self.last : self.step])

    def count(self) -> int:
        n = self.source.count()
        if n == INFINITE and self.last is not None:
            n = self.last
        return n if n < 0 else len(range(n)[self.first : self.last : self.step])


class Filtered(Changed):
    """The elements of which a program's function is true."""

    def __init__(self, source: Step, predicate: Callable[..., Any]) -> None:
        super().__init__(source)
        self.test = Mapped(source, predicate)

    def elements(self) -> Iterator[Any]:
        if self.test.takes_blocks():
            return Step.elements(self)
        return (e for e in self.source.elements() if self.test.one(e))

    def blocks(self, n: int) -> Iterator[Any] | None:
        blocks = self.source.blocks(n) if self.test.takes_blocks() else None
        return None if blocks is None else self._kept(blocks)

    def _kept(self, blocks: Iterator[Any]) -> Iterator[Any]:
        for block in blocks:
            keep = np.flatnonzero(self.test.many(block))
            if len(keep):
                yield E.mapped(lambda a, keep=keep: a[keep], block)

    def count(self) -> int:
        return UNKNOWN


class Cached(Changed):
    """What the first pass gave, kept."""

    def __init__(self, source: Step) -> None:
        super().__init__(source)
        self._block: Any = None
        self._list: list[Any] | None = None

    def rows(self) -> Rows | None:
        if self._block is None:
            rows = self.source.rows()
            if rows is None or not rows.size:
                return None
            n = min(max(rows.size, 1), 8 * BLOCK)
            blocks = [rows.gather(slice(i, min(i + n, rows.size))) for i in range(0, rows.size, n)]
            self._block = E.join(blocks)
        block = self._block
        return Rows(
            E.length(block),
            lambda at: E.mapped(lambda a: a[at] if isinstance(at, slice) else a.take(at, 0), block),
        )

    def elements(self) -> Iterator[Any]:
        if self._list is not None:
            return iter(self._list)
        if self._block is not None or self.source.example() is not None:
            found = self.rows()
            if found is not None:
                return Step.elements(self)
        return self._keeping()

    def _keeping(self) -> Iterator[Any]:
        kept = []
        for element in self.source.elements():
            kept.append(element)
            yield element
        self._list = kept

    def blocks(self, n: int) -> Iterator[Any] | None:
        return Step.blocks(self, n)

    def example(self) -> Any:
        return self.source.example() if self._block is None else E.cut(self._block, 0, 2)


class Zipped(Step):
    """Elements of several data sets, side by side, as long as all have one."""

    def __init__(self, sources: Any) -> None:
        self.sources = sources

    def _steps(self) -> list[Step]:
        return [s.step for s in E.leaves(self.sources)]

    def _like(self, parts: Any) -> Any:
        found = iter(parts)
        return E.mapped(lambda _: next(found), self.sources)

    def elements(self) -> Iterator[Any]:
        if self.rows() is not None:
            return Step.elements(self)
        return (self._like(parts) for parts in zip(*(s.elements() for s in self._steps())))  # noqa: B905 - ends with the shortest

    def rows(self) -> Rows | None:
        parts = [s.rows() for s in self._steps()]
        if any(p is None for p in parts):
            return None
        count = min(p.size for p in parts if p)

        def gather(at: Any) -> Any:
            where = slice(*at.indices(count)) if isinstance(at, slice) else at
            return self._like(p.gather(where) for p in parts if p)

        return Rows(count, gather)

    def count(self) -> int:
        counts = [s.count() for s in self._steps()]
        known = [n for n in counts if n >= 0]
        if UNKNOWN in counts:
            return UNKNOWN
        return min(known) if known else INFINITE

    def spec(self) -> Any:
        return self._like(s.spec() for s in self._steps())


class Joined(Step):
    """One data set after the other."""

    def __init__(self, *steps: Step) -> None:
        self.steps = steps

    def elements(self) -> Iterator[Any]:
        return itertools.chain.from_iterable(s.elements() for s in self.steps)

    def blocks(self, n: int) -> Iterator[Any] | None:
        parts = [s.blocks(n) for s in self.steps]
        if any(p is None for p in parts):
            return None
        return itertools.chain.from_iterable(p for p in parts if p is not None)

    def rows(self) -> Rows | None:
        return None

    def example(self) -> Any:
        return self.steps[0].example()

    def count(self) -> int:
        counts = [s.count() for s in self.steps]
        if INFINITE in counts:
            return INFINITE
        return UNKNOWN if UNKNOWN in counts else sum(counts)

    def spec(self) -> Any:
        return self.steps[0].spec()


class Flattened(Changed):
    """The elements of the data sets that a function gives, `cycle` of them taking turns."""

    def __init__(
        self, source: Step, function: Callable[..., Any], cycle: int = 1, block: int = 1
    ) -> None:
        super().__init__(source)
        self.function, self.cycle, self.block = function, max(cycle, 1), max(block, 1)

    def _opened(self, element: Any) -> Iterator[Any]:
        made = E.call(self.function, E.mapped(E.wrap, element))
        if not hasattr(made, "step"):
            raise TypeError(
                "the function of flat_map and interleave has to give a Dataset, got "
                f"{type(made).__name__}"
            )
        found: Iterator[Any] = made.step.elements()
        return found

    def elements(self) -> Iterator[Any]:
        sources = self.source.elements()
        if self.cycle == 1:
            for element in sources:
                yield from self._opened(element)
            return
        open_ = [self._opened(e) for e in itertools.islice(sources, self.cycle)]
        at = 0
        while open_:
            part = list(itertools.islice(open_[at], self.block))
            yield from part
            if len(part) < self.block:
                following = next(sources, None)
                if following is None:
                    del open_[at]
                    at = at % len(open_) if open_ else 0
                    continue
                open_[at] = self._opened(following)
            at = (at + 1) % len(open_)

    def blocks(self, n: int) -> Iterator[Any] | None:
        return None

    def example(self) -> Any:
        return None

    def count(self) -> int:
        return UNKNOWN

    def spec(self) -> Any:
        return Step.spec(self)


class Windows(Changed):
    """Each `size` elements as a data set of their own, `shift` after the last one's beginning."""

    def __init__(
        self,
        source: Step,
        size: int,
        shift: int | None,
        stride: int,
        drop: bool,
        nest: Callable[[Step], Any],
    ) -> None:
        super().__init__(source)
        self.size, self.stride, self.drop = _positive(size, "size"), stride, drop
        self.shift = size if shift is None else _positive(shift, "shift")
        self.nest = nest

    def elements(self) -> Iterator[Any]:
        span = (self.size - 1) * self.stride + 1
        held: list[Any] = []
        source = self.source.elements()
        while True:
            held.extend(itertools.islice(source, span - len(held)))
            part = held[:: self.stride]
            if not part or (self.drop and len(held) < span):
                return
            first = part[0]
            windows = [Listed(list(leaf)) for leaf in zip(*(E.leaves(e) for e in part))]  # noqa: B905
            found = iter(windows)
            yield E.mapped(lambda _, found=found: self.nest(next(found)), first)
            if self.shift < len(held):
                held = held[self.shift :]
            else:
                missing = self.shift - len(held)
                held = []
                if len(list(itertools.islice(source, missing))) < missing:
                    return

    def blocks(self, n: int) -> Iterator[Any] | None:
        return None

    def example(self) -> Any:
        return None

    def count(self) -> int:
        n = self.source.count()
        if n < 0:
            return n
        if self.drop:
            span = (self.size - 1) * self.stride + 1
            return max((n - span) // self.shift + 1, 0)
        return -(-n // self.shift)

    def spec(self) -> Any:
        return E.mapped(E.DatasetSpec, self.source.spec())


class Listed(Step):
    """Elements in a list."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def elements(self) -> Iterator[Any]:
        return iter(self.items)

    def blocks(self, n: int) -> Iterator[Any] | None:
        return None

    def count(self) -> int:
        return len(self.items)


class Made(Changed):
    """Elements from a function of the source's elements: `make(iterator)`."""

    def __init__(
        self, source: Step, make: Callable[[Iterator[Any]], Iterator[Any]], count: int = UNKNOWN
    ) -> None:
        super().__init__(source)
        self.make, self._count = make, count

    def elements(self) -> Iterator[Any]:
        return self.make(self.source.elements())

    def blocks(self, n: int) -> Iterator[Any] | None:
        return None

    def example(self) -> Any:
        return None

    def count(self) -> int:
        return self._count

    def spec(self) -> Any:
        return Step.spec(self)


class Mixed(Step):
    """Elements of several data sets, in the order of `choices`."""

    def __init__(
        self, steps: list[Step], choices: Callable[[], Iterator[int]], stop_on_empty: bool
    ) -> None:
        self.steps, self.choices, self.stop = steps, choices, stop_on_empty

    def elements(self) -> Iterator[Any]:
        open_: list[Iterator[Any] | None] = [s.elements() for s in self.steps]
        for i in self.choices():
            source = open_[i]
            if source is None:
                continue
            element = next(source, open_)
            if element is open_:
                if self.stop:
                    return
                open_[i] = None
                if not any(open_):
                    return
                continue
            yield element

    def blocks(self, n: int) -> Iterator[Any] | None:
        return None

    def spec(self) -> Any:
        return self.steps[0].spec()


def _positive(n: Any, name: str) -> int:
    n = int(n)
    if n < 1:
        raise InvalidArgumentError(f"{name} must be greater than zero, got {n}")
    return n
