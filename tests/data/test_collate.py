"""Samples become batches by PyTorch's rules."""

from __future__ import annotations

from collections import OrderedDict, namedtuple

import numpy as np
import pytest

from chainrule.tensor import Tensor
from chainrule.tensor.creation import tensor
from chainrule.utils.data import default_collate, default_collate_fn_map, default_convert

Point = namedtuple("Point", ["x", "y"])


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([1, 2], np.array([1, 2], np.int64)),
        ([True, False], np.array([True, False])),
        ([True, 2], np.array([1, 2], np.int64)),
        ([0.5, 1.5], np.array([0.5, 1.5], np.float64)),
        ([np.float32(0.5), np.float32(1)], np.array([0.5, 1], np.float32)),
        ([np.uint8(3), np.uint8(4)], np.array([3, 4], np.uint8)),
        ([np.zeros((2, 0)), np.zeros((2, 0))], np.zeros((2, 2, 0))),
        ([np.arange(3), np.arange(3, 6)], np.arange(6).reshape(2, 3)),
    ],
)
def test_numbers_and_arrays_become_one_tensor(samples: list, expected: np.ndarray) -> None:
    batch = default_collate(samples)
    assert isinstance(batch, Tensor)
    got = batch.numpy()
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


def test_tensors_are_stacked_and_do_not_share_memory() -> None:
    one = tensor([1.0, 2.0])
    batch = default_collate([one, one])
    one += 1
    assert batch.tolist() == [[1.0, 2.0], [1.0, 2.0]]


def test_rows_of_a_graph_stay_in_it() -> None:
    w = tensor([3.0], requires_grad=True)
    batch = default_collate([w * 2, w * 5])
    batch.sum().backward()
    assert w.grad is not None and w.grad.tolist() == [7.0]


def test_structures_keep_their_form() -> None:
    batch = default_collate([(1, "a", {"k": [2, 3.0]}), (4, "b", {"k": [5, 6.0]})])
    assert type(batch) is list
    numbers, words, inner = batch
    assert numbers.tolist() == [1, 4] and words == ("a", "b")
    assert [column.tolist() for column in inner["k"]] == [[2, 5], [3.0, 6.0]]
    point = default_collate([Point(1, 2), Point(3, 4)])
    assert type(point) is Point and point.y.tolist() == [2, 4]
    assert type(default_collate([OrderedDict(a=1), OrderedDict(a=2)])) is OrderedDict
    assert default_collate([b"x", b"y"]) == [b"x", b"y"]


def test_what_cannot_be_collated_says_why() -> None:
    with pytest.raises(TypeError, match=r"must contain tensors, numpy arrays.*found .*object"):
        default_collate([object()])
    with pytest.raises(TypeError, match="found <U1"):
        default_collate([np.array(["a"])])
    with pytest.raises(RuntimeError, match="each element in list of batch should be of equal size"):
        default_collate([[1], [1, 2]])
    with pytest.raises(RuntimeError, match=r"equal size, but got \[3\] at entry 0 and \[4\] at en"):
        default_collate([np.zeros(3), np.zeros(4)])
    with pytest.raises(RuntimeError, match=r"equal size, but got \[1\] at entry 0 and \[2\] at en"):
        default_collate([tensor([1]), tensor([1, 2])])


def test_a_program_may_add_types(monkeypatch: pytest.MonkeyPatch) -> None:
    def joined(batch: list, *, collate_fn_map: object = None) -> str:
        return "".join(str(value.real) for value in batch)

    monkeypatch.setitem(default_collate_fn_map, complex, joined)
    assert default_collate([1 + 2j, 3 + 4j]) == "1.03.0"


def test_default_convert_touches_arrays_only() -> None:
    array = np.arange(2)
    number, word, converted = default_convert((7, "w", array))
    assert number == 7 and word == "w" and isinstance(converted, Tensor)
    array[0] = 9
    assert converted.tolist() == [0, 1]
    assert default_convert(Point(np.float32(1), "s")).x.item() == 1.0
    text = np.array(["a"])
    assert default_convert(text) is text


@pytest.mark.parametrize("shape", [(6,), (6, 2), (6, 2, 3)])
def test_rows_of_one_tensor_are_what_they_look_like(shape: tuple[int, ...]) -> None:
    x = tensor(np.arange(np.prod(shape)).reshape(shape))
    views = {
        "rows": [x[i] for i in (4, 0, -1, 4)],
        "rows from behind": [x.flip(0)[i] for i in (0, 2)],
        "rows of a view": [x[1:][i] for i in (0, 2)],
        "rows and strangers": [x[1], x.clone()[2], tensor(x[3].numpy())],
        "rows of unlike tensors": [x[1], (x + 1)[1]],
    }
    if len(shape) > 1:
        views["columns"] = [x[:, 0], x[:, 1]]
        views["reversed"] = [x.flip(1)[i] for i in (0, 2)]
    for name, batch in views.items():
        expected = np.stack([t.numpy() for t in batch])
        np.testing.assert_array_equal(default_collate(batch).numpy(), expected, err_msg=name)


def test_a_batch_of_rows_is_a_copy() -> None:
    x = tensor([[1, 2], [3, 4]])
    batch = default_collate([x[0], x[1]])
    x.zero_()
    assert batch.tolist() == [[1, 2], [3, 4]]
    assert default_collate([x[0], x[1]]).tolist() == [[0, 0], [0, 0]]


def test_mixed_numbers_are_not_cut_off() -> None:
    assert default_collate([1, 2.5]).tolist() == [1.0, 2.5]
