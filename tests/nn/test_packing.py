"""Sequences of unlike lengths: packing loses nothing, orders as documented, and lets gradients
through.
"""

import pytest

import chainrule as torch
from chainrule.nn.utils import parameters_to_vector, vector_to_parameters
from chainrule.nn.utils.rnn import (
    PackedSequence,
    invert_permutation,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
    unpack_sequence,
    unpad_sequence,
)

SEQUENCES = [torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0]), torch.tensor([5.0, 6.0])]


def test_step_by_step_longest_first():
    packed = pack_sequence(SEQUENCES, enforce_sorted=False)
    assert packed.data.tolist() == [1.0, 5.0, 4.0, 2.0, 6.0, 3.0]
    assert packed.batch_sizes.tolist() == [3, 2, 1]
    assert packed.sorted_indices.tolist() == [0, 2, 1]
    assert packed.unsorted_indices.tolist() == [0, 2, 1]
    in_order = pack_sequence(sorted(SEQUENCES, key=len, reverse=True))
    assert in_order.sorted_indices is None and in_order.unsorted_indices is None


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("rest", [(), (2,), (2, 3)])
def test_packing_and_padding_undo_each_other(batch_first, rest):
    lengths = [2, 4, 1]
    sequences = [torch.randn(n, *rest) for n in lengths]
    padded = pad_sequence(sequences, batch_first)
    packed = pack_padded_sequence(padded, lengths, batch_first, enforce_sorted=False)
    back, counts = pad_packed_sequence(packed, batch_first)
    assert torch.equal(back, padded) and counts.tolist() == lengths
    for several in (unpack_sequence(packed), unpad_sequence(padded, lengths, batch_first)):
        assert all(torch.equal(a, b) for a, b in zip(several, sequences, strict=True))


def test_padding_has_a_value_a_side_and_a_length():
    left = pad_sequence(SEQUENCES, batch_first=True, padding_value=9, padding_side="left")
    assert left.tolist() == [[1.0, 2.0, 3.0], [9.0, 9.0, 4.0], [9.0, 5.0, 6.0]]
    packed = pack_sequence(SEQUENCES, enforce_sorted=False)
    longer, _ = pad_packed_sequence(packed, batch_first=True, padding_value=-1, total_length=4)
    assert longer.tolist()[1] == [4.0, -1.0, -1.0, -1.0]
    with pytest.raises(ValueError, match="total_length=2"):
        pad_packed_sequence(packed, total_length=2)


def test_padding_gets_no_gradient():
    x = torch.ones(2, 3, requires_grad=True)
    packed = pack_padded_sequence(x, [3, 1], batch_first=True)
    back, _ = pad_packed_sequence(packed, batch_first=True)
    (back * 2).sum().backward()
    assert x.grad.tolist() == [[2.0, 2.0, 2.0], [2.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("lengths", "text"),
    [
        ([1, 2], "must be sorted in decreasing order"),
        ([3, 2, 1], "Expected `len\\(lengths\\)` to be equal to batch_size"),
        ([3, 0], "has to be greater than 0"),
        ([4, 1], "at most the number of steps"),
    ],
)
def test_lengths_that_do_not_fit(lengths, text):
    with pytest.raises(RuntimeError, match=text):
        pack_padded_sequence(torch.ones(3, 2), lengths)


def test_packed_sequences_convert_and_take_a_pair():
    packed = pack_sequence(SEQUENCES, enforce_sorted=False)
    double = packed.double()
    assert double.data.dtype is torch.float64 and double.batch_sizes is packed.batch_sizes
    pair = PackedSequence((packed.data, packed.batch_sizes), sorted_indices=packed.sorted_indices)
    assert pair.unsorted_indices.tolist() == invert_permutation(packed.sorted_indices).tolist()


def test_parameters_as_a_vector_and_back():
    layer = torch.nn.Linear(3, 2)
    vector = parameters_to_vector(layer.parameters())
    assert vector.shape == (8,) and vector[6:].tolist() == layer.bias.tolist()
    vector_to_parameters(torch.arange(8.0), layer.parameters())
    assert layer.weight.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert layer.bias.requires_grad and layer.bias.is_leaf
    with pytest.raises(TypeError, match=r"expected torch\.Tensor"):
        vector_to_parameters([1.0], layer.parameters())
