"""How functions may be called: out=, NumPy's names, named results, subclasses, storages."""

import copy
import pickle
from typing import ClassVar

import numpy as np
import pytest

import chainrule as torch
from chainrule import return_types

# ---- out=


def test_out_receives_the_result_and_is_returned():
    out = torch.zeros(2)
    assert torch.add(torch.ones(2), 1, out=out) is out
    assert out.tolist() == [2, 2]


def test_out_of_no_elements_is_resized_and_any_other_with_a_warning():
    assert torch.ones(3, out=torch.empty(0)).shape == (3,)
    with pytest.warns(UserWarning, match="An output with one or more elements was resized"):
        assert torch.mul(torch.ones(3), 2, out=torch.zeros(2)).shape == (3,)


def test_out_keeps_its_type_where_the_result_can_be_cast():
    assert torch.add(torch.tensor([1]), 1, out=torch.zeros(1)).dtype is torch.float32
    with pytest.raises(RuntimeError, match="can't be cast to the desired output type"):
        torch.sin(torch.ones(1), out=torch.zeros(1, dtype=torch.int64))
    assert torch.arange(3, out=torch.empty(0)).dtype is torch.float32


def test_out_takes_no_gradient():
    with pytest.raises(RuntimeError, match="don't support automatic differentiation"):
        torch.exp(torch.ones(1, requires_grad=True), out=torch.zeros(1))


def test_several_results_go_into_several():
    out = torch.empty(0), torch.empty(0, dtype=torch.int64)
    found = torch.max(torch.tensor([[1.0, 3.0]]), 1, out=out)
    assert isinstance(found, return_types.max) and found.values is out[0]
    assert out[1].tolist() == [1]


# ---- names, types, results


def test_numpys_names_of_arguments():
    x = torch.arange(6.0).reshape(2, 3)
    assert torch.sum(x, axis=0, keepdims=True).shape == (1, 3)
    assert x.softmax(axis=0).sum(axis=0).tolist() == [1, 1, 1]
    assert torch.add(x1=x, x2=x).shape == (2, 3)
    assert x.prod(axis=1).tolist() == [0, 60]


@pytest.mark.parametrize(
    "call",
    [
        lambda: torch.exp(3.0),
        lambda: torch.mm(torch.ones(1, 1), 3),
        lambda: torch.maximum(torch.ones(1), 2),
        lambda: torch.cat([torch.ones(1), 3]),
        lambda: torch.pow(2, 3),
    ],
)
def test_what_must_be_a_tensor_is_said(call):
    with pytest.raises(TypeError, match=r"Tensor"):
        call()


def test_results_have_names():
    found = torch.tensor([1, 3, 2]).sort()
    values, indices = found
    assert found.values is values and found[1] is indices
    assert repr(found).startswith("torch.return_types.sort(\nvalues=tensor([1, 2, 3]),\nindices=")
    assert type(pickle.loads(pickle.dumps(found))) is return_types.sort


# ---- classes of the program's own


class Tagged(torch.Tensor):
    pass


class Logged(torch.Tensor):
    seen: ClassVar[list[str]] = []

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        cls.seen.append(func.__name__)
        return super().__torch_function__(func, types, args, kwargs)


def test_what_is_computed_from_a_subclass_is_one():
    x = torch.ones(2).as_subclass(Tagged)
    for y in (x + 1, x.sum(), x[0], torch.stack([x, x]), torch.nn.functional.relu(x)):
        assert type(y) is Tagged
    assert type(torch.ones(2) + 1) is torch.Tensor
    assert type(torch.nn.Parameter(torch.ones(1)) * 2) is torch.Tensor


def test_gradients_pass_through_a_subclass():
    w = torch.ones(2, requires_grad=True)
    (w.as_subclass(Tagged) * 3).sum().backward()
    assert w.grad.tolist() == [3, 3]


def test_torch_function_sees_methods_functions_and_functionals():
    Logged.seen.clear()
    x = torch.ones(2).as_subclass(Logged)
    torch.sin(x)
    x.cos()
    x + 1
    torch.nn.functional.relu(x)
    assert Logged.seen == ["sin", "cos", "add", "relu"]


def test_other_objects_may_answer_for_torchs_functions():
    class Length:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return func.__name__

    assert torch.add(Length(), 1) == "add"
    assert torch.ones(1) + Length() == "add"


def test_a_tensor_may_carry_attributes():
    x = torch.ones(1)
    x.tag = "here"
    assert pickle.loads(pickle.dumps(x)).tag == copy.deepcopy(x).tag == "here"


# ---- memory


def test_a_view_by_strides_is_written_through():
    x = torch.arange(6.0)
    torch.as_strided(x, (2, 2), (1, 2)).mul_(10)
    assert x.tolist() == [0, 10, 20, 30, 4, 5]
    assert x[2:].as_strided((2,), (2,)).tolist() == [20, 4]
    x.unfold(0, 2, 2)[1] = 7
    assert x.tolist() == [0, 10, 7, 7, 4, 5]


def test_the_gradient_of_a_view_by_strides_adds_up_where_it_overlaps():
    w = torch.ones(3, requires_grad=True)
    w.as_strided((2, 2), (1, 1)).sum().backward()
    assert w.grad.tolist() == [1, 2, 1]


def test_storages_are_flat_and_shared():
    x = torch.arange(6.0).reshape(2, 3)
    v = x[1]
    assert v.storage_offset() == 3 and x.T.stride() == (1, 3)
    assert v.storage().tolist() == [0, 1, 2, 3, 4, 5]
    assert v.untyped_storage().nbytes() == 24
    assert v.untyped_storage().data_ptr() == x.data_ptr() == v.data_ptr() - 12
    x.storage()[0] = 9
    assert x[0, 0].item() == 9


def test_another_type_over_the_same_memory():
    x = torch.tensor([1.0, 2.0])
    bits = x.view(torch.int32)
    bits[0] = 0
    assert x.tolist() == [0, 2]
    assert x.view(torch.uint8).shape == (8,)


def test_channels_last():
    x = torch.arange(24.0).reshape(1, 2, 3, 4)
    y = x.to(memory_format=torch.channels_last)
    assert y.stride() == (24, 1, 8, 2) and torch.equal(x, y)
    assert y.is_contiguous(memory_format=torch.channels_last) and not y.is_contiguous()


def test_copies_share_what_the_originals_share():
    x = torch.zeros(4)
    a, b = copy.deepcopy([x, x[1:3]])
    a[1] = 5
    assert b.tolist() == [5, 0] and x.tolist() == [0, 0, 0, 0]


# ---- numbers of NumPy, states of generators


def test_a_numpy_number_may_change_from_step_to_step():
    x = torch.ones(2)
    for value in (1, 2, 3, 4):
        assert (x * np.float32(value)).tolist() == [value, value]
        assert (np.float64(value) * x).tolist() == [value, value]


def test_the_state_of_a_generator_is_a_tensor():
    g = torch.Generator().manual_seed(5)
    state = g.get_state()
    a = torch.rand(2, generator=g)
    g.set_state(state)
    assert state.dtype is torch.uint8 and torch.equal(a, torch.rand(2, generator=g))
    with pytest.raises(TypeError, match="ByteTensor"):
        g.set_state(3)


def test_numpys_functions_give_tensors_back():
    x = torch.tensor([0.0, 1.0])
    assert type(np.sin(x)) is torch.Tensor
    assert (np.ones(2) + x).tolist() == [1, 2]


def test_inference_mode_is_known_by_name():
    assert not torch.is_inference_mode_enabled()
    with torch.no_grad():
        assert not torch.is_inference_mode_enabled()
    with torch.inference_mode():
        assert torch.is_inference_mode_enabled() and not torch.is_grad_enabled()
        with torch.inference_mode(False):
            assert not torch.is_inference_mode_enabled() and torch.is_grad_enabled()
    assert torch.inference_mode(False)(torch.is_grad_enabled)()
