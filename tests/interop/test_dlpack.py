"""DLPack both ways: memory is shared, not copied."""

import numpy as np
import pytest

import chainrule as torch
from chainrule.utils.dlpack import from_dlpack, to_dlpack


def test_numpy_sees_what_is_written_here_and_the_other_way_round():
    x = torch.arange(6.0).reshape(2, 3)
    a = np.from_dlpack(x)
    a[0, 0] = 9
    x[0, 1] = 7
    assert x.tolist()[0] == [9, 7, 2] and a.tolist()[0] == [9, 7, 2]
    b = np.zeros(3)
    y = torch.from_dlpack(b)
    y.add_(1)
    assert y.tolist() == [1, 1, 1] and b.tolist() == [1, 1, 1]


def test_views_go_as_they_are():
    x = torch.arange(6).reshape(2, 3)
    assert np.from_dlpack(x.T).strides == (8, 24)
    assert torch.from_dlpack(x.T).tolist() == x.T.tolist()


def test_bare_capsules():
    x = torch.arange(3)
    y = from_dlpack(to_dlpack(x))
    y[0] = 5
    assert x.tolist() == [5, 1, 2]
    assert x.__dlpack_device__() == (1, 0)


def test_what_is_read_only_there_stays_as_it_is():
    a = np.arange(3.0)
    a.flags.writeable = False
    x = torch.from_dlpack(a)
    x[0] = 3
    assert x.tolist() == [3, 1, 2] and a.tolist() == [0, 1, 2]


def test_a_gradient_cannot_follow():
    with pytest.raises(BufferError, match="require gradient"):
        np.from_dlpack(torch.ones(1, requires_grad=True))


def test_copies_on_demand():
    a = np.zeros(2)
    x = torch.from_dlpack(a, copy=True)
    x += 1
    assert a.tolist() == [0, 0]
    assert not hasattr(x, "__cuda_array_interface__")
