"""`tf.data.Dataset`: the methods by which a program chains the steps of a pipeline."""

from __future__ import annotations

import glob
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data import elements as E
from chainrule.data import sources, steps
from chainrule.data.errors import InvalidArgumentError, OutOfRangeError
from chainrule.data.options import Options
from chainrule.data.pipeline import INFINITE, UNKNOWN, Step
from chainrule.runtime.random import stream
from chainrule.strings import StringTensor
from chainrule.tensor import Tensor, fromdata


class Dataset:
    """Elements, one after the other, made when they are asked for.

    An element is a tensor or a tuple or dict of tensors. Every method gives another data set;
    iterating one begins at the beginning. Arrays in memory are gathered a batch at a time, and a
    function given to `map` is recorded once for a whole batch where that is possible.

    >>> numbers = Dataset.range(6).map(lambda x: x * x).batch(4)
    >>> [batch.tolist() for batch in numbers]
    [[0, 1, 4, 9], [16, 25]]
    """

    __slots__ = ("_options", "step")

    def __init__(self, step: Step, options: Options | None = None) -> None:
        self.step, self._options = step, options or Options()

    def _then(self, step: Step) -> Dataset:
        return Dataset(step, self._options)

    # ------------------------------------------------------------------ where elements come from

    @staticmethod
    def from_tensor_slices(tensors: Any, name: str | None = None) -> Dataset:
        """The rows of arrays: of one, or of a tuple or dict of arrays with equal first sizes.

        >>> ds = Dataset.from_tensor_slices({"x": [1, 2], "y": ["a", "b"]})
        >>> [(e["x"].item(), e["y"].numpy()) for e in ds]
        [(1, b'a'), (2, b'b')]
        """
        return Dataset(sources.Slices(_raw_structure(tensors)))

    @staticmethod
    def from_tensors(tensors: Any, name: str | None = None) -> Dataset:
        """One element: the tensors as they are."""
        return Dataset(sources.Whole(_raw_structure(tensors)))

    @staticmethod
    def from_generator(
        generator: Callable[..., Any],
        output_types: Any = None,
        output_shapes: Any = None,
        args: Any = None,
        output_signature: Any = None,
        name: str | None = None,
    ) -> Dataset:
        """What `generator(*args)` yields, checked against `output_signature` (specs), or against
        `output_types` and `output_shapes`.
        """
        if not callable(generator):
            raise TypeError("`generator` must be a Python callable.")
        if output_signature is None:
            if output_types is None:
                raise TypeError("Either `output_signature` or `output_types` must be specified")
            if isinstance(output_types, list):
                output_types = tuple(output_types)
            if output_shapes is None:
                output_signature = E.mapped(lambda t: E.TensorSpec(None, t), output_types)
            else:
                places = steps.spread(output_shapes, output_types)
                output_signature = E.mapped(
                    lambda t, s: E.TensorSpec(s.shape, t), output_types, places
                )
        return Dataset(sources.Generated(generator, tuple(args or ()), output_signature))

    @staticmethod
    def range(*args: Any, output_type: Any = "int64", name: str | None = None) -> Dataset:
        """Whole numbers, as Python's `range`."""
        numbers = range(*(int(a) for a in args))
        return Dataset(
            sources.Numbers(numbers.start, numbers.stop, numbers.step, E.as_type(output_type))
        )

    @staticmethod
    def counter(start: int = 0, step: int = 1, dtype: Any = "int64", name: Any = None) -> Dataset:
        """Whole numbers without end."""
        return Dataset(sources.Counter(start, step, dtype))

    @staticmethod
    def random(
        seed: int | None = None, rerandomize_each_iteration: bool | None = None, name: Any = None
    ) -> Dataset:
        """Random whole numbers without end."""
        return Dataset(sources.Chances(seed))

    @staticmethod
    def list_files(
        file_pattern: Any, shuffle: bool | None = None, seed: int | None = None, name: Any = None
    ) -> Dataset:
        """The names of the files that fit a pattern or several, shuffled unless told otherwise."""
        patterns = sources.names_of(file_pattern)
        found = sorted(name for pattern in patterns for name in glob.glob(pattern))
        if not found:
            raise InvalidArgumentError(f"No files matched pattern: {', '.join(patterns)}")
        files = Dataset.from_tensor_slices(found)
        return files if shuffle is False else files.shuffle(len(found), seed)

    @staticmethod
    def zip(*args: Any, datasets: Any = None, name: str | None = None) -> Dataset:
        """Elements of several data sets side by side; ends with the shortest.

        >>> a, b = Dataset.range(3), Dataset.range(10, 20)
        >>> [(x.item(), y.item()) for x, y in Dataset.zip((a, b))]
        [(0, 10), (1, 11), (2, 12)]
        """
        if not args and datasets is None:
            raise TypeError("Must pass at least one dataset to `zip`.")
        if args and datasets is not None:
            raise TypeError("Both `*args` and `datasets` cannot be set.")
        given = (args[0] if len(args) == 1 else args) if args else datasets
        for part in E.leaves(given):
            if not isinstance(part, Dataset):
                raise TypeError(f"zip takes data sets, got {type(part).__name__}")
        return Dataset(steps.Zipped(given))

    @staticmethod
    def choose_from_datasets(
        datasets: Any, choice_dataset: Dataset, stop_on_empty_dataset: bool = True
    ) -> Dataset:
        """An element of the data set that the next number of `choice_dataset` names."""
        return Dataset(
            steps.Mixed(
                [d.step for d in datasets],
                lambda: (int(i) for i in choice_dataset.step.elements()),
                stop_on_empty_dataset,
            )
        )

    @staticmethod
    def sample_from_datasets(
        datasets: Any,
        weights: Any = None,
        seed: int | None = None,
        stop_on_empty_dataset: bool = False,
        rerandomize_each_iteration: bool | None = None,
    ) -> Dataset:
        """An element of a data set that is drawn with the chances `weights`."""
        chances = np.ones(len(datasets)) if weights is None else np.asarray(E.raw(weights), float)
        chances = chances / chances.sum()

        def choices() -> Iterator[int]:
            numbers = stream("shuffle").numpy() if seed is None else np.random.default_rng(seed)
            while True:
                yield from numbers.choice(len(chances), 256, p=chances).tolist()

        return Dataset(steps.Mixed([d.step for d in datasets], choices, stop_on_empty_dataset))

    # ------------------------------------------------------------------ what is done with each

    def map(
        self,
        map_func: Callable[..., Any],
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
        synchronous: bool | None = None,
        use_unbounded_threadpool: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """`map_func` of every element; the parts of a tuple are its arguments."""
        return self._then(steps.Mapped(self.step, map_func))

    def filter(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements of which `predicate` is true."""
        return self._then(steps.Filtered(self.step, predicate))

    def flat_map(self, map_func: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements of the data sets that `map_func` gives, one data set after the other."""
        return self._then(steps.Flattened(self.step, map_func))

    def interleave(
        self,
        map_func: Callable[..., Any],
        cycle_length: int | None = None,
        block_length: int | None = None,
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """As flat_map, but `cycle_length` data sets take turns, `block_length` elements each."""
        cycle = 4 if cycle_length is None or cycle_length < 0 else int(cycle_length)
        return self._then(steps.Flattened(self.step, map_func, cycle, int(block_length or 1)))

    def scan(self, initial_state: Any, scan_func: Callable[..., Any], name: Any = None) -> Dataset:
        """`state, out = scan_func(state, element)` along the elements; gives every `out`."""

        def run(elements: Iterator[Any]) -> Iterator[Any]:
            state = _seen(_raw_structure(initial_state))
            for element in elements:
                state, out = scan_func(state, _seen(element))
                yield E.result(out)

        return self._then(steps.Made(self.step, run, self.step.count()))

    def take_while(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements up to the first of which `predicate` is false."""
        return self._then(
            steps.Made(
                self.step,
                lambda elements: itertools.takewhile(
                    lambda e: bool(E.call(predicate, _seen(e))), elements
                ),
            )
        )

    def unique(self, name: str | None = None) -> Dataset:
        """Every element once."""

        def run(elements: Iterator[Any]) -> Iterator[Any]:
            known = set()
            for element in elements:
                key = tuple((a.tolist() if a.dtype == object else a.tobytes(), a.shape)
                            for a in map(np.asarray, E.leaves(element)))  # fmt: skip
                key = tuple((tuple(v) if isinstance(v, list) else v, s) for v, s in key)
                if key not in known:
                    known.add(key)
                    yield element

        return self._then(steps.Made(self.step, run))

    def reduce(self, initial_state: Any, reduce_func: Callable[..., Any], name: Any = None) -> Any:
        """`state = reduce_func(state, element)` along the elements; gives the last state.

        >>> Dataset.range(5).reduce(np.int64(0), lambda total, x: total + x).item()
        10
        """
        state = _seen(_raw_structure(initial_state))
        for element in self.step.elements():
            state = _seen(E.result(reduce_func(state, _seen(element))))
        return state

    # ------------------------------------------------------------------ batches

    def batch(
        self,
        batch_size: Any,
        drop_remainder: bool = False,
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """Each `batch_size` elements in one, with a first axis more."""
        return self._then(steps.Batched(self.step, int(batch_size), drop_remainder))

    def padded_batch(
        self,
        batch_size: Any,
        padded_shapes: Any = None,
        padding_values: Any = None,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """As batch, with shorter elements filled up to `padded_shapes`, or to the longest."""
        return self._then(
            steps.Padded(self.step, int(batch_size), padded_shapes, padding_values, drop_remainder)
        )

    def unbatch(self, name: str | None = None) -> Dataset:
        """The rows of every element."""
        return self._then(steps.Unbatched(self.step))

    def rebatch(self, batch_size: Any, drop_remainder: bool = False, name: Any = None) -> Dataset:
        """Batches of another size."""
        return self.unbatch().batch(batch_size, drop_remainder)

    def window(
        self,
        size: Any,
        shift: Any = None,
        stride: Any = 1,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """Each `size` elements as a data set (a tuple or dict of data sets)."""
        shift = None if shift is None else int(shift)
        return self._then(
            steps.Windows(self.step, int(size), shift, int(stride), drop_remainder, Dataset)
        )

    def bucket_by_sequence_length(
        self,
        element_length_func: Callable[..., Any],
        bucket_boundaries: Any,
        bucket_batch_sizes: Any,
        padded_shapes: Any = None,
        padding_values: Any = None,
        pad_to_bucket_boundary: bool = False,
        no_padding: bool = False,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """Padded batches of elements of like lengths: bucket i takes lengths below boundary i."""
        if len(bucket_batch_sizes) != len(bucket_boundaries) + 1:
            raise ValueError("bucket_batch_sizes needs one entry more than bucket_boundaries")
        edges = [int(b) for b in bucket_boundaries]

        def batch(part: list[Any], bucket: int) -> Any:
            if no_padding:
                return E.stack(part)
            shapes = padded_shapes
            if pad_to_bucket_boundary:
                if bucket == len(edges):
                    raise InvalidArgumentError("an element is longer than the last boundary")
                shapes = E.mapped(lambda a: (edges[bucket] - 1, *a.shape[1:]), part[0])
            return steps.pad_and_stack(part, shapes, padding_values)

        def run(elements: Iterator[Any]) -> Iterator[Any]:
            buckets: dict[int, list[Any]] = {}
            for element in elements:
                length = int(E.call(element_length_func, _seen(element)))
                bucket = int(np.searchsorted(edges, length, side="right"))
                held = buckets.setdefault(bucket, [])
                held.append(element)
                if len(held) == int(bucket_batch_sizes[bucket]):
                    yield batch(buckets.pop(bucket), bucket)
            if not drop_remainder:
                for bucket in sorted(buckets):
                    yield batch(buckets[bucket], bucket)

        return self._then(steps.Made(self.step, run))

    def group_by_window(
        self,
        key_func: Callable[..., Any],
        reduce_func: Callable[..., Any],
        window_size: Any = None,
        window_size_func: Callable[..., Any] | None = None,
        name: str | None = None,
    ) -> Dataset:
        """Elements of one key, `window_size` at a time, through `reduce_func(key, data set)`."""

        def flushed(key: int, part: list[Any]) -> Iterator[Any]:
            made = reduce_func(fromdata.from_owned(np.array(key)), Dataset(steps.Listed(part)))
            found: Iterator[Any] = made.step.elements()
            return found

        def run(elements: Iterator[Any]) -> Iterator[Any]:
            groups: dict[int, list[Any]] = {}
            for element in elements:
                key = int(E.call(key_func, _seen(element)))
                held = groups.setdefault(key, [])
                held.append(element)
                size = window_size if window_size_func is None else window_size_func(key)
                if len(held) == int(size):
                    yield from flushed(key, groups.pop(key))
            for key, held in groups.items():
                yield from flushed(key, held)

        return self._then(steps.Made(self.step, run))

    # ------------------------------------------------------------------ which, and in what order

    def shuffle(
        self,
        buffer_size: Any,
        seed: int | None = None,
        reshuffle_each_iteration: bool | None = True,
        name: str | None = None,
    ) -> Dataset:
        """In random order, each element drawn from a buffer of the next `buffer_size`."""
        again = reshuffle_each_iteration is not False
        return self._then(steps.Shuffled(self.step, int(buffer_size), seed, again))

    def repeat(self, count: Any = None, name: str | None = None) -> Dataset:
        """The same again: `count` times, or without end (None, -1)."""
        return self._then(steps.Repeated(self.step, -1 if count is None else int(count)))

    def take(self, count: Any, name: str | None = None) -> Dataset:
        """The first `count` elements; -1: all."""
        count = int(count)
        return self._then(steps.Sliced(self.step, 0, None if count < 0 else count))

    def skip(self, count: Any, name: str | None = None) -> Dataset:
        """All but the first `count` elements; -1: none."""
        count = int(count)
        return self.take(0) if count < 0 else self._then(steps.Sliced(self.step, count, None))

    def shard(self, num_shards: Any, index: Any, name: str | None = None) -> Dataset:
        """Every `num_shards`-th element, from `index` on."""
        n, i = int(num_shards), int(index)
        if not 0 <= i < n:
            raise InvalidArgumentError(f"index must be in [0, {n}), got {i}")
        return self._then(steps.Sliced(self.step, i, None, n))

    def enumerate(self, start: Any = 0, name: str | None = None) -> Dataset:
        """`(number, element)`."""
        n = self.step.count()
        first = int(start)
        numbers = Dataset.counter(first) if n < 0 else Dataset.range(first, first + n)
        return Dataset(steps.Zipped((numbers, self)), self._options)

    def concatenate(self, dataset: Dataset, name: str | None = None) -> Dataset:
        """This data set's elements, then those of another one."""
        return self._then(steps.Joined(self.step, dataset.step))

    # ------------------------------------------------------------------ wishes

    def cache(self, filename: Any = "", name: str | None = None) -> Dataset:
        """What the first pass gave is kept in memory (no file is written)."""
        return self._then(steps.Cached(self.step))

    def prefetch(self, buffer_size: Any, name: str | None = None) -> Dataset:
        """A wish about speed: the same elements."""
        return self._then(self.step)

    def snapshot(self, path: Any, *args: Any, **options: Any) -> Dataset:
        """As cache."""
        return self.cache()

    def apply(self, transformation_func: Callable[[Dataset], Dataset], name: Any = None) -> Dataset:
        """`transformation_func(self)`."""
        return transformation_func(self)

    def ignore_errors(self, log_warning: bool = False, name: str | None = None) -> Dataset:
        """Without the elements whose making raises an error."""

        def run(elements: Iterator[Any]) -> Iterator[Any]:
            while True:
                try:
                    yield next(elements)
                except StopIteration:
                    return
                except Exception:  # what this method is for
                    continue

        return self._then(steps.Made(self.step, run))

    def options(self) -> Options:
        """The wishes that `with_options` gave."""
        return self._options

    def with_options(self, options: Options, name: str | None = None) -> Dataset:
        """The same elements, with wishes."""
        return Dataset(self.step, self._options.merge(options))

    # ------------------------------------------------------------------ out of it

    @property
    def element_spec(self) -> Any:
        """The shapes and types of an element.

        >>> Dataset.range(4).batch(2).element_spec
        TensorSpec(shape=(None,), dtype=tf.int64, name=None)
        """
        return self.step.spec()

    def cardinality(self, name: str | None = None) -> Tensor:
        """How many elements there are: -1 without end, -2 unknown."""
        return fromdata.from_owned(np.array(self.step.count()))

    def as_numpy_iterator(self, name: str | None = None) -> Iterator[Any]:
        """The elements as NumPy's arrays and numbers.

        >>> list(Dataset.from_tensor_slices([1.0, 2.0]).as_numpy_iterator())
        [np.float32(1.0), np.float32(2.0)]
        """
        for element in self.step.elements():
            yield E.mapped(_numpy, element)

    def get_single_element(self, name: str | None = None) -> Any:
        """The only element."""
        found = list(itertools.islice(self, 2))
        if len(found) != 1:
            raise InvalidArgumentError(
                f"the data set has {'no' if not found else 'more than one'} element"
            )
        return found[0]

    def __iter__(self) -> DatasetIterator:
        return DatasetIterator(self)

    def __len__(self) -> int:
        n = self.step.count()
        if n == INFINITE:
            raise TypeError("The dataset is infinite.")
        if n == UNKNOWN:
            raise TypeError("The dataset length is unknown.")
        return n

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<{type(self.step).__name__}Dataset of {self.step.count()} elements>"


class DatasetIterator:
    """One pass over a data set."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset, self._elements = dataset, dataset.step.elements()

    def __iter__(self) -> DatasetIterator:
        return self

    def __next__(self) -> Any:
        return _seen(next(self._elements))

    @property
    def element_spec(self) -> Any:
        return self._dataset.element_spec

    def get_next(self) -> Any:
        """The next element; OutOfRangeError at the end."""
        found = next(self._elements, self)
        if found is self:
            raise OutOfRangeError("End of sequence")
        return _seen(found)


def _seen(element: Any) -> Any:
    """An element as programs see it."""
    return E.mapped(E.wrap, element)


def _numpy(leaf: Any) -> Any:
    if not isinstance(leaf, np.ndarray):
        return leaf.as_numpy_iterator() if isinstance(leaf, Dataset) else leaf
    return leaf[()] if leaf.ndim == 0 else leaf


def _raw_structure(tensors: Any) -> Any:
    """What a program gave as data, with arrays for leaves; a frame of pandas by its columns."""
    return E.mapped(E.raw, dict(tensors) if hasattr(tensors, "items") else tensors)


class TextLineDataset(Dataset):
    """The lines of text files, as strings without their ends."""

    def __init__(
        self,
        filenames: Any,
        compression_type: str | None = None,
        buffer_size: int | None = None,
        num_parallel_reads: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(sources.Lines(filenames, compression_type))


class TFRecordDataset(Dataset):
    """Not here: reads files of serialised protocol buffers."""

    def __init__(self, filenames: Any, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "files of TFRecords are not read here; turn them into arrays once (np.savez) and use "
            "Dataset.from_tensor_slices or from_generator"
        )


class FixedLengthRecordDataset(Dataset):
    """Records of `record_bytes` bytes each, as strings."""

    def __init__(
        self, filenames: Any, record_bytes: int, header_bytes: int = 0, footer_bytes: int = 0,
        buffer_size: Any = None, compression_type: Any = None, num_parallel_reads: Any = None,
        name: str | None = None,
    ) -> None:  # fmt: skip
        def records() -> Iterator[StringTensor]:
            for file in sources.names_of(filenames):
                content = Path(file).read_bytes()
                content = content[header_bytes : len(content) - footer_bytes]
                for i in range(0, len(content) - record_bytes + 1, record_bytes):
                    yield StringTensor(content[i : i + record_bytes])

        super().__init__(sources.Generated(records, (), E.TensorSpec((), "string")))
