"""One top level, two faces: PyTorch's calls mean what they mean there, whoever makes them."""

import numpy as np
import pytest

import chainrule as tf
from chainrule import faces


def as_torch(source: str):
    """What an expression gives in a program that calls this package `torch`."""
    return eval(source, {"torch": tf, "np": np})


def test_a_name_that_means_two_things_is_decided_by_the_caller() -> None:
    x = tf.reshape(tf.range(6), [6])
    assert [len(p) for p in tf.split(x, 2)] == [3, 3]
    assert as_torch("[len(p) for p in torch.split(torch.arange(6), 2)]") == [2, 2, 2]
    assert tf.equal([1, 2], [1, 3]).tolist() == [True, False]
    assert as_torch("torch.equal(torch.tensor([1, 2]), torch.tensor([1, 3]))") is False
    assert tf.sort([2, 1]).tolist() == [1, 2]
    assert as_torch("torch.sort(torch.tensor([2, 1])).indices.tolist()") == [1, 0]
    assert tf.argmax([[1, 2], [3, 0]]).tolist() == [1, 0]
    assert as_torch("torch.argmax(torch.tensor([[1, 2], [3, 0]])).item()") == 2
    assert tf.where([False, True]).tolist() == [[1]]


def test_what_pytorch_refuses_stays_refused_in_a_pytorch_program() -> None:
    assert tf.zeros([2], tf.float32).shape == (2,)
    with pytest.raises(TypeError):
        as_torch("torch.zeros([2], torch.float32)")
    with pytest.raises(TypeError):
        as_torch("torch.sqrt(2.0)")
    with pytest.raises(RuntimeError, match="requires grad"):
        as_torch("torch.ones(1, requires_grad=True).numpy()")
    with pytest.raises(AttributeError):
        as_torch("torch.nn.relu")


def test_a_program_with_both_names_speaks_pytorch() -> None:
    names = {"tf": tf, "torch": tf}
    assert eval("torch.equal(torch.tensor([1]), torch.tensor([2]))", names) is False
    assert faces._speaks({"tf": tf}) and not faces._speaks(names)


def test_values_can_be_looked_at_and_plus_equals_rebinds() -> None:
    v = tf.Variable([1.0, 2.0])
    y = v * 2.0
    assert y.numpy().tolist() == [2.0, 4.0]
    assert np.asarray(y).tolist() == [2.0, 4.0]
    other = y
    y += 1.0
    assert other.numpy().tolist() == [2.0, 4.0] and y.numpy().tolist() == [3.0, 5.0]


def test_lists_and_arrays_take_the_tensors_type() -> None:
    x = tf.constant([1.0, 2.0])
    pair = [1, 2]
    for y in (x + pair, x * np.ones(2), np.ones(2) - x, x / np.float64(2)):
        assert y.dtype == tf.float32
