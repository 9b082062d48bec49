"""Sequences of unlike lengths as one tensor: padded, or packed.

    lengths 3, 2, 1 of sequences a, b, c:     padded (batch_first)      packed
                                               a0 a1 a2                  data         a0 b0 c0 a1 b1
                                               a2 b0 b1 0                   batch_sizes  3        2
                                               1 c0 0  0

A packed sequence holds step 0 of all sequences, then step 1 of all that have one, and so on; it
wants the longest sequence first, and remembers the order that the batch had. Lengths are plain
numbers, so packing looks at them; the data stay a recorded graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from chainrule import dtypes, names
from chainrule.errors import ShapeError
from chainrule.tensor import Tensor
from chainrule.tensor.creation import full
from chainrule.tensor.functions import cat, stack
from chainrule.tensor.handle import from_array


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """Packed sequences; made by `pack_padded_sequence` and `pack_sequence`, taken by recurrent
    layers.

    data: (sum of lengths, *); batch_sizes: i64 (longest length,); sorted_indices: the batch in the
    order in which it is packed, None if it came sorted; unsorted_indices: the way back.
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        if batch_sizes is None:  # called with the pair (data, batch_sizes)
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The same sequences with data of another dtype or on another device."""
        return self._replace(data=self.data.to(*args, **kwargs))

    def cpu(self) -> Self:
        """The same sequences on the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Self:
        """The same sequences on a GPU; an error says so where there is none."""
        return self.to("cuda" if device is None else device)

    def double(self) -> Self:
        """Data as float64."""
        return self.to(dtypes.float64)

    def float(self) -> Self:
        """Data as float32."""
        return self.to(dtypes.float32)

    def half(self) -> Self:
        """Data as float16."""
        return self.to(dtypes.float16)

    def long(self) -> Self:
        """Data as int64."""
        return self.to(dtypes.int64)

    def int(self) -> Self:
        """Data as int32."""
        return self.to(dtypes.int32)

    @property
    def is_cuda(self) -> bool:
        """Whether the data are on a GPU."""
        return bool(self.data.is_cuda)

    def pin_memory(self) -> Self:
        """Nothing to pin for a CPU: the same sequences."""
        return self

    def is_pinned(self) -> bool:
        """Always False."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes this one; None stays None.

    >>> import chainrule as torch
    >>> invert_permutation(torch.tensor([2, 0, 1])).tolist()
    [1, 2, 0]
    """
    return None if permutation is None else from_array(np.argsort(_numbers(permutation)))


def _numbers(lengths: Tensor | Sequence[Any]) -> np.ndarray:
    values = lengths.numpy() if isinstance(lengths, Tensor) else np.asarray(lengths)
    return values.astype(np.int64)


def pack_padded_sequence(
    input: Tensor,
    lengths: Tensor | Sequence[Any],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Leave the padding out of `input`, which is (time, batch, *) or, with `batch_first`, (batch,
    time, *).

    `enforce_sorted=False` takes the batch in any order. Raises RuntimeError for lengths that do not
    fit.

    >>> import chainrule as torch
    >>> x = torch.tensor([[1, 2, 3], [4, 5, 0]])
    >>> packed = pack_padded_sequence(x, [3, 2], batch_first=True)
    >>> packed.data.tolist(), packed.batch_sizes.tolist()
    ([1, 4, 2, 5, 3], [2, 2, 1])
    """
    counts = _numbers(lengths)
    steps_first = input.transpose(0, 1) if batch_first else input
    steps, batch = steps_first.shape[:2]
    if counts.shape != (batch,):
        raise ShapeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {counts.size} "
            f"(batch_size={batch})"
        )
    if counts.size == 0 or counts.min() <= 0:
        raise ShapeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            "that is <= 0"
        )
    if counts.max() > steps:
        raise ShapeError(
            f"Expected every length to be at most the number of steps, but got {counts.max()} "
            f"and an input of {steps} steps"
        )
    order, sorted_indices = np.arange(batch), None
    if not enforce_sorted:
        order = np.argsort(-counts, kind="stable")
        sorted_indices = from_array(order)
    elif (np.diff(counts) > 0).any():
        raise ShapeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. "
            "You can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to "
            "sidestep this requirement if you do not need ONNX exportability."
        )
    sizes = _batch_sizes(counts)
    # Row step · batch + sequence of the flattened input, for every step that exists.
    rows = np.concatenate([step * batch + order[:size] for step, size in enumerate(sizes)])
    flat = steps_first.reshape(steps * batch, *steps_first.shape[2:])
    data = flat.index_select(0, from_array(rows))
    return PackedSequence(data, from_array(sizes), sorted_indices)


def _batch_sizes(lengths: np.ndarray) -> np.ndarray:
    """How many sequences have a step t, for every t."""
    return (lengths[None, :] > np.arange(lengths.max())[:, None]).sum(axis=1)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The inverse of `pack_padded_sequence`: the padded tensor and the lengths, in the batch's own
    order.

    `total_length` pads to more steps than the longest sequence has; ValueError if it is less.
    """
    sizes = _numbers(sequence.batch_sizes)
    steps, batch = len(sizes), int(sizes[0])
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, "
                f"but got total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    count, rest = sequence.data.shape[0], tuple(sequence.data.shape[1:])
    rows = np.full((steps, batch), count)  # row `count` is one row of padding, put behind the data
    starts = np.cumsum(sizes) - sizes
    for step, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        rows[step, :size] = np.arange(start, start + size)
    lengths = (np.arange(batch)[:, None] < sizes[None, :]).sum(axis=1)
    if sequence.unsorted_indices is not None:
        back = _numbers(sequence.unsorted_indices)
        rows, lengths = rows[:, back], lengths[back]
    padding = full((1, *rest), padding_value, dtype=sequence.data.dtype)
    rows = rows.T if batch_first else rows
    padded = cat([sequence.data, padding]).index_select(0, from_array(np.ravel(rows)))
    return padded.reshape(*rows.shape, *rest), from_array(lengths)


def pad_sequence(
    sequences: Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Stack tensors (length, *) of unlike lengths to (longest, batch, *), or (batch, longest, *)
    with `batch_first`.

    >>> import chainrule as torch
    >>> pad_sequence([torch.ones(1), torch.ones(2)], batch_first=True).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        )
    if padding_side not in ("left", "right"):
        raise ValueError(f"padding_side should be 'left' or 'right', got {padding_side!r}")
    tensors = list(sequences)
    if not tensors:
        raise RuntimeError("received an empty list of sequences")
    longest = max(tensor.shape[0] for tensor in tensors)
    rows = []
    for tensor in tensors:
        missing = longest - tensor.shape[0]
        if missing:
            padding = full((missing, *tensor.shape[1:]), padding_value, dtype=tensor.dtype)
            tensor = cat([tensor, padding] if padding_side == "right" else [padding, tensor])
        rows.append(tensor)
    return stack(rows, dim=0 if batch_first else 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor | Sequence[Any], batch_first: bool = False
) -> list[Tensor]:
    """The sequences without their padding (which is at the right)."""
    batch = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    counts = _numbers(lengths).tolist()
    return [batch[i, :count] for i, count in enumerate(counts)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack tensors (length, *) of unlike lengths, longest first unless `enforce_sorted=False`."""
    lengths = [sequence.shape[0] for sequence in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a `PackedSequence`, one by one."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)

__getattr__ = names.later(__name__)
