"""What nobody else sees may be written into by the program that replaces it; all else may not."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as torch
from chainrule.runtime import programs


@pytest.fixture
def native(monkeypatch):
    """Programs that write into everything they are given, and what they were given."""
    seen: list[dict[int, int]] = []
    build = programs.compiler.compile

    class InPlace:
        interrupts = False

        def __init__(self, outputs):
            self.inner = build(outputs)

        def __call__(self, arrays, donated):
            seen.append(dict(donated))
            values = [np.array(v, order="C") for v in self.inner(arrays)]
            for i, k in donated.items():
                assert arrays[k].shape == values[i].shape and arrays[k].dtype == values[i].dtype
                arrays[k][...] = values[i]
                values[i] = arrays[k]
            if InPlace.interrupts:
                InPlace.interrupts = False
                raise programs.Interrupted(values)
            return values

    monkeypatch.setattr(programs.compiler, "compile", InPlace)
    monkeypatch.setattr(programs, "_programs", {})
    monkeypatch.setattr(programs, "_before", {})
    seen_of = InPlace
    seen_of.seen = seen
    return seen_of


def test_parameters_and_state_are_written_in_place(native):
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=0.1)
    arrays = []
    for _ in range(3):
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
        arrays.append(w.storage.array.ctypes.data)  # a reference would count
    assert arrays[1] == arrays[2]
    assert len(native.seen[-1]) == 3  # the parameter and its two means
    np.testing.assert_allclose(w.detach().numpy(), [0.7, 1.7], atol=1e-2)


def test_what_somebody_sees_is_left_alone(native):
    x = torch.ones(3)
    torch.flush()
    seen = x.numpy()
    held = x.storage.array
    with torch.no_grad():
        y = x.detach()
        x.mul_(2)
        torch.flush()
    assert native.seen[-1] == {} and seen.tolist() == y.tolist() == [2, 2, 2]  # NumPy shares it
    del seen
    assert x.storage.array is held
    x.add_(1)
    torch.flush()
    assert native.seen[-1] == {} and held.tolist() == [2, 2, 2]  # `held` is another reference


def test_what_a_gradient_will_read_is_left_alone(native):
    x = torch.tensor([3.0], requires_grad=True)
    w = torch.tensor([2.0])
    y = (x * w).sum()
    y.item()  # closes the trace: it keeps w
    with torch.no_grad():
        z = w + 0
        w.add_(5)
        torch.flush()
    assert z.tolist() == [2.0] and w.tolist() == [7.0]
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        y.backward()


def test_a_view_that_is_read_by_the_program_is_another_reference(native):
    x = torch.arange(4.0)
    torch.flush()
    v = x[1:] + 0
    x.mul_(2)
    torch.flush()
    assert v.tolist() == [1, 2, 3] and x.tolist() == [0, 2, 4, 6]


def test_an_interrupt_after_the_program_does_not_update_twice(native):
    w = torch.tensor([4.0], requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.25)
    (w * w).sum().backward()
    native.interrupts = True
    with pytest.raises(KeyboardInterrupt):
        optimizer.step()
    assert w.tolist() == [2.0] and w.grad.tolist() == [8.0]
    torch.flush()
    assert w.tolist() == [2.0]
