"""`x[…]` and `x[…] = v` against NumPy, for drawn indices of all forms.

PyTorch differs from NumPy in one thing: an integer beside index arrays selects first, as a view
does; it is not
broadcast with them. The oracle does the same.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as torch

SETTINGS = settings(max_examples=300, deadline=None, derandomize=True)


@st.composite
def indexed(draw):
    """A shape and an index into it: integers, slices, None, …, index arrays, masks."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    common = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=2)))
    items, axis = [], 0
    dots = draw(st.sampled_from([None, *range(len(shape) + 1)]))
    while axis < len(shape):
        if dots == axis:
            items.append(Ellipsis)
            axis += draw(st.integers(0, len(shape) - axis))
            dots = None
            continue
        if draw(st.integers(0, 7)) == 0:
            items.append(None)
        n = shape[axis]
        kind = draw(st.sampled_from(["int", "slice", "slice", "array", "mask", "stop"]))
        if kind == "stop":
            break
        if kind == "int":
            items.append(draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            bound = st.one_of(st.none(), st.integers(-n - 1, n + 1))
            items.append(slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1, 2, 3]))))
        elif kind == "array":
            size = draw(st.sampled_from([common, common[-1:], (1,) * len(common)]))
            flat = draw(
                st.lists(
                    st.integers(-n, n - 1), min_size=int(np.prod(size)), max_size=int(np.prod(size))
                )
            )
            items.append(np.array(flat).reshape(size))
        else:
            count = common[-1] if common[-1] <= n else 1
            mask = np.zeros(n, bool)
            mask[draw(st.permutations(range(n)))[:count]] = True
            items.append(mask)
        axis += 1
    return shape, tuple(items)


def oracle_steps(shape, items):
    """Integers as their own step before everything else: (selection, rest)."""
    axis, used = 0, sum(i is not None and i is not Ellipsis for i in items)
    select, rest = [], []
    for i in items:
        if i is Ellipsis:
            free = len(shape) - used
            select += [slice(None)] * free
            axis += free
            rest += [slice(None)] * free
        elif i is None:
            rest.append(None)
        elif isinstance(i, int):
            select.append(i)
            axis += 1
        else:
            select.append(slice(None))
            rest.append(i)
            axis += 1
    return tuple(select), tuple(rest)


def as_torch(items):
    return tuple(torch.tensor(i) if isinstance(i, np.ndarray) else i for i in items)


def supported(a, items):
    select, rest = oracle_steps(a.shape, items)
    try:
        return a[select][rest]
    except IndexError:
        return None


@SETTINGS
@given(indexed(), st.booleans())
def test_reading(case, pending):
    shape, items = case
    a = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    want = supported(a, items)
    if want is None:
        return
    x = torch.tensor(a)
    got = (x + 0 if pending else x)[as_torch(items)]
    assert tuple(got.shape) == want.shape
    np.testing.assert_array_equal(got.numpy(), want)


@SETTINGS
@given(indexed(), st.booleans(), st.booleans())
def test_writing(case, pending, scalar):
    shape, items = case
    a = np.arange(np.prod(shape, dtype=float)).reshape(shape)
    select, rest = oracle_steps(shape, items)
    target = supported(a, items)
    if target is None or np.unique(target).size != target.size:
        return  # written to twice: which value stays is not defined
    value = (
        np.array(-1.0)
        if scalar
        else -1.0 - np.arange(target.size, dtype=float).reshape(target.shape)
    )
    x = torch.tensor(a)
    x = x + 0 if pending else x
    x[as_torch(items)] = -1.0 if scalar else torch.tensor(value)
    part = a[select]
    if part.ndim:
        part[rest] = value
    else:
        a[select] = value.reshape(()) if isinstance(value, np.ndarray) else value
    np.testing.assert_array_equal(x.numpy(), a)


@SETTINGS
@given(indexed())
def test_gradients_of_reading_and_writing(case):
    shape, items = case
    a = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    places = supported(np.arange(a.size).reshape(shape), items)
    if places is None:
        return
    x = torch.tensor(a, requires_grad=True)
    y = x[as_torch(items)]
    (y * y).sum().backward()
    want = np.zeros(a.size)
    np.add.at(want, places.reshape(-1), 2 * a.reshape(-1)[places.reshape(-1)])
    np.testing.assert_array_equal(x.grad.numpy(), want.reshape(shape))


def test_a_mask_of_the_whole_shape():
    x = torch.arange(6.0).view(2, 3)
    assert x[x > 2].tolist() == [3, 4, 5]
    x[x > 2] = 0
    assert x.tolist() == [[0, 1, 2], [0, 0, 0]]
    x[x == 0] = torch.tensor([7.0, 8.0, 9.0, 10.0])
    assert x.tolist() == [[7, 1, 2], [8, 9, 10]]


def test_truth_values_and_none():
    x = torch.arange(3)
    assert x[None].shape == (1, 3) and x[True].shape == (1, 3) and x[False].shape == (0, 3)
    assert torch.tensor(5)[...].item() == 5 and torch.tensor(5)[None].tolist() == [5]


def test_lists_are_index_arrays():
    x = torch.arange(12).view(3, 4)
    assert x[[0, 2]].tolist() == [[0, 1, 2, 3], [8, 9, 10, 11]]
    assert x[[0, 2], [1, 3]].tolist() == [1, 11]
    assert x[:, [True, False, True, False]].tolist() == [[0, 2], [4, 6], [8, 10]]
    assert x[range(2)].shape == (2, 4)


def test_a_tensor_of_one_integer_is_an_integer():
    x = torch.arange(12).view(3, 4)
    i = torch.tensor(1)
    assert x[i].tolist() == [4, 5, 6, 7] and x[i, 2].item() == 6 and x[:, i].tolist() == [1, 5, 9]


def test_values_are_converted_and_broadcast():
    x = torch.zeros(2, 3, dtype=torch.int64)
    x[0] = torch.tensor([1.9, 2.1, -1.9])
    x[1] = True
    assert x.tolist() == [[1, 2, -1], [1, 1, 1]]
    x[:] = torch.ones(1, 1, 3)
    assert x.tolist() == [[1] * 3] * 2


def test_repeated_indices_read_many_and_accumulate():
    x = torch.zeros(3)
    x.index_put_((torch.tensor([0, 0, 2]),), torch.tensor([1.0, 2.0, 3.0]), accumulate=True)
    assert x.tolist() == [3, 0, 3]
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    w[[0, 0, 1]].sum().backward()
    assert w.grad.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("index", "error"),
    [
        ((0, 0, 0), IndexError),
        (5, IndexError),
        (-4, IndexError),
        (1.0, (IndexError, TypeError)),
        ("a", (IndexError, TypeError)),
        ((..., ...), IndexError),
        (slice(None, None, -1), ValueError),
        (slice(None, None, 0), ValueError),
        ([0, 7], IndexError),
        ([[0, 1], [0, 1, 2]], (IndexError, ValueError, TypeError)),
        (np.zeros(4, bool), IndexError),
        (([0, 1], [0, 1, 0]), IndexError),
    ],
)
def test_wrong_indices_are_errors_at_once(index, error):
    with pytest.raises(error):
        torch.zeros(3, 2)[index]


def test_wrong_values_are_errors_at_once():
    x = torch.zeros(3, 2)
    with pytest.raises(RuntimeError, match=r"expanded size|shape mismatch"):
        x[0] = torch.zeros(3)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        x[[0, 1]] = torch.zeros(3, 2)


@pytest.mark.parametrize("make", [
    lambda: torch.zeros(40), lambda: torch.LongTensor(40), lambda: torch.ones(5, 8).view(-1),
    lambda: torch.ones(40) * 2,
])  # fmt: skip
def test_filling_in_a_loop_of_python_writes_at_once(make):
    x = make()
    for i in range(40):
        x[i] = i
    assert x.storage.trace is None, "nothing waits: the loop did not record 40 operations"
    assert x.tolist() == list(range(40))


def test_what_was_recorded_before_a_loop_fills_an_array_keeps_the_old_values():
    x = torch.zeros(12)
    for i in range(6):
        x[i] = 1
    y = x * 2
    for i in range(12):
        x[i] = 5
    assert y.tolist() == [2.0] * 6 + [0.0] * 6 and x.tolist() == [5.0] * 12


def test_axes_of_size_1_in_front_of_a_value_do_no_harm():
    x = torch.zeros(2, 3, 4)
    x[x.sum(2) == 0] = torch.arange(4.0).reshape(1, 1, 1, 4)
    assert (x == torch.arange(4.0)).all()
    x[torch.tensor([0, 1]), torch.tensor([0, 2])] = torch.ones(1, 1, 1, 1)
    assert x[1, 2].tolist() == [1.0] * 4 and x[1, 1].tolist() == [0.0, 1.0, 2.0, 3.0]
