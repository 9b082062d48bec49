"""Sharing memory with NumPy, both ways, and tensors as Python values."""

import copy
import pickle

import numpy as np
import pytest

import chainrule as torch
from chainrule import config


def test_from_numpy_shares_memory_both_ways():
    a = np.arange(4.0)
    t = torch.from_numpy(a)
    t += 1
    torch.flush()
    assert a.tolist() == [1, 2, 3, 4]
    a[0] = 10
    assert t.tolist() == [10, 2, 3, 4]


def test_numpy_shares_memory_both_ways():
    t = torch.zeros(3)
    a = t.numpy()
    a[1] = 5
    assert t.tolist() == [0, 5, 0]
    t.add_(1)
    torch.flush()
    assert a.tolist() == [1, 6, 1]
    t[2] = 9
    torch.flush()
    assert a.tolist() == [1, 6, 9]


@pytest.mark.parametrize("limit", [0, 1 << 22], ids=["read at once", "copied"])
def test_a_write_between_recording_and_the_look_is_not_seen(limit, monkeypatch):
    monkeypatch.setattr(config, "snapshot_limit", limit)
    a = np.ones(3)
    t = torch.from_numpy(a)
    y = t * 2
    a[:] = 100
    assert y.tolist() == [2, 2, 2]
    assert (t * 2).tolist() == [200, 200, 200]


def test_a_large_array_is_not_copied_in_every_step(monkeypatch):
    monkeypatch.setattr(config, "snapshot_limit", 1000)
    data = torch.from_numpy(np.zeros((1000, 10)))
    copies = []
    from chainrule.tensor.trace import Trace

    bind = Trace.bind

    def seen(self, array, dtype, tensor):
        copies.append(array.nbytes > 1000 and not np.shares_memory(array, data._view()))
        return bind(self, array, dtype, tensor)

    monkeypatch.setattr(Trace, "bind", seen)
    for i in range(3):
        data[torch.tensor([i, i + 1])].sum().item()
    assert not any(copies)


def test_gradients_through_shared_memory_use_the_values_that_were_recorded():
    a = np.array([1.0, 2.0])
    w = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)
    loss = (torch.from_numpy(a) * w).sum()
    a[:] = 0
    loss.backward()
    assert w.grad.tolist() == [1, 2]


def test_memory_that_nobody_else_holds_is_not_copied():
    t = torch.zeros(3)
    a = t.numpy()
    del a
    assert not t.storage.exported


def test_numpy_functions_take_tensors():
    t = torch.tensor([1.0, 4.0])
    np.testing.assert_array_equal(np.sqrt(t), [1, 2])
    np.testing.assert_array_equal(np.asarray(t), [1, 4])
    assert np.array(t, dtype=np.int32).dtype == np.int32


def test_numpy_of_what_requires_a_gradient_is_refused():
    t = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="requires grad"):
        t.numpy()
    assert t.detach().numpy().tolist() == [1, 1]


def test_arrays_that_cannot_be_shared_are_refused():
    with pytest.raises(ValueError, match="negative"):
        torch.from_numpy(np.arange(3)[::-1])
    with pytest.raises(TypeError):
        torch.from_numpy(np.array(["a"]))


def test_a_transposed_array_is_shared():
    a = np.zeros((2, 3))
    t = torch.from_numpy(a.T)
    t[2, 1] = 5
    torch.flush()
    assert a[1, 2] == 5


def test_dlpack():
    a = np.arange(3.0)
    t = torch.from_dlpack(a)
    assert t.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(np.from_dlpack(torch.ones(2)), [1, 1])


def test_tensor_copies_and_as_tensor_shares():
    a = np.zeros(2)
    copied, shared = torch.tensor(a), torch.as_tensor(a)
    a[0] = 1
    assert copied.tolist() == [0, 0] and shared.tolist() == [1, 0]


# ------------------------------------------------------------------ as a Python value


def test_one_element_is_a_number():
    t = torch.tensor([[2.5]])
    assert (t.item(), float(t), int(t), bool(t)) == (2.5, 2.5, 2, True)
    assert type(torch.tensor(True).item()) is bool and type(torch.tensor(3).item()) is int


def test_several_elements_are_no_number():
    with pytest.raises(RuntimeError, match="cannot be converted to Scalar"):
        torch.zeros(2).item()
    with pytest.raises(RuntimeError, match="ambiguous"):
        bool(torch.zeros(2))


def test_integers_index_python_sequences():
    i = torch.tensor(2)
    assert [10, 20, 30][i] == 30 and list(range(i)) == [0, 1]
    with pytest.raises(TypeError):
        [1, 2][torch.tensor(1.0)]


def test_format():
    t = torch.tensor(3.14159)
    assert f"{t:.2f}" == "3.14" and f"{torch.tensor(7):3d}" == "  7"
    assert str(torch.tensor([1, 2])) == "tensor([1, 2])"


def test_iteration_and_unpacking():
    a, b = torch.tensor([[1, 2], [3, 4]])
    assert a.tolist() == [1, 2] and b.tolist() == [3, 4]
    assert [float(v) for v in torch.arange(3.0)] == [0, 1, 2]
    assert len(torch.zeros(4, 2)) == 4 and 2 in torch.tensor([1, 2])
    with pytest.raises(TypeError):
        iter(torch.tensor(1.0))
    with pytest.raises(TypeError):
        len(torch.tensor(1.0))


def test_iteration_gives_views():
    x = torch.zeros(3, 2)
    for row in x:
        row += 1
    assert x.sum().item() == 6


def test_tensors_are_keys_by_identity():
    a, b = torch.ones(1), torch.ones(1)
    assert {a: 1, b: 2}[a] == 1


def test_copies():
    t = torch.ones(2, requires_grad=True)
    for other in (copy.deepcopy(t), pickle.loads(pickle.dumps(t))):
        with torch.no_grad():
            other += 1
        assert other.requires_grad and t.tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(t * 2)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: torch.tensor([1.0, 2.5]), "tensor([1.0000, 2.5000])"),
        (lambda: torch.tensor([1.0, 2.0]), "tensor([1., 2.])"),
        (lambda: torch.tensor(5), "tensor(5)"),
        (lambda: torch.tensor([True, False]), "tensor([ True, False])"),
        (lambda: torch.zeros(0), "tensor([])"),
        (lambda: torch.zeros(2, 0), "tensor([], size=(2, 0))"),
        (lambda: torch.tensor([1.0], dtype=torch.float64), "tensor([1.], dtype=torch.float64)"),
        (lambda: torch.ones(2, requires_grad=True), "tensor([1., 1.], requires_grad=True)"),
        (lambda: torch.tensor([[1, 20], [300, 4]]), "tensor([[  1,  20],\n        [300,   4]])"),
        (lambda: torch.tensor([1e-8, 1.0]), "tensor([1.0000e-08, 1.0000e+00])"),
        (lambda: torch.tensor([float("nan"), 1.5]), "tensor([   nan, 1.5000])"),
        (lambda: torch.tensor([float("inf"), 1.0]), "tensor([inf, 1.])"),
        (lambda: torch.tensor([-1.5, 2.0]), "tensor([-1.5000,  2.0000])"),
        (lambda: torch.tensor([], dtype=torch.int64), "tensor([], dtype=torch.int64)"),
        (
            lambda: torch.arange(2000).float(),
            "tensor([0.0000e+00, 1.0000e+00, 2.0000e+00,  ..., 1.9970e+03, 1.9980e+03,\n"
            "        1.9990e+03])",
        ),
        (lambda: torch.tensor([1, 2], dtype=torch.uint8), "tensor([1, 2], dtype=torch.uint8)"),
        (lambda: torch.tensor(0.1), "tensor(0.1000)"),
        (lambda: torch.tensor(123456.789), "tensor(123456.7891)"),
        (lambda: torch.tensor([1e10, 1.0]), "tensor([1.0000e+10, 1.0000e+00])"),
    ],
)
def test_tensors_print_as_in_pytorch(make, text):
    """The texts are what PyTorch 2.13 printed."""
    assert repr(make()) == text
