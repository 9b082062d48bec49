"""`assert_close` says yes to what is close, and where something is not."""

import pytest

import chainrule as torch
from chainrule.testing import assert_close, make_tensor

NAN = float("nan")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0 + 1e-6])),
        (1.0, 1.0 + 1e-9),
        ([torch.ones(2), 3], [torch.ones(2), 3]),
        ({"a": torch.zeros(1)}, {"a": torch.zeros(1)}),
        (torch.tensor([float("inf")]), torch.tensor([float("inf")])),
        (None, None),
    ],
)
def test_close(a, b) -> None:
    assert_close(a, b)


@pytest.mark.parametrize(
    ("a", "b", "text"),
    [
        (torch.ones(2), torch.ones(3), "attribute 'shape'"),
        (torch.ones(2), torch.ones(2).double(), "attribute 'dtype'"),
        (torch.ones(2), torch.zeros(2), r"Mismatched elements: 2 / 2 \(100.0%\)"),
        (1, 2, "Expected 2 but got 1"),
        ([1, 2], [1], "length of the sequences"),
        ({"a": 1}, {"b": 1}, "Missing keys"),
        ([torch.ones(1), torch.ones(1)], [torch.ones(1), torch.zeros(1)], r"item \[1\]"),
        (torch.tensor([NAN]), torch.tensor([NAN]), "not close"),
        (torch.tensor([1, 2]), torch.tensor([1, 3]), "not equal"),
    ],
)
def test_what_differs_is_shown(a, b, text: str) -> None:
    with pytest.raises(AssertionError, match=text):
        assert_close(a, b)


def test_options() -> None:
    assert_close(torch.tensor([NAN]), torch.tensor([NAN]), equal_nan=True)
    assert_close(torch.ones(1), torch.ones(1).double(), check_dtype=False)
    assert_close(torch.ones(1), torch.ones(1) + 0.1, rtol=0, atol=0.2)
    with pytest.raises(ValueError, match="rtol"):
        assert_close(1.0, 1.0, rtol=0.1)
    with pytest.raises(AssertionError, match="mine"):
        assert_close(1.0, 2.0, msg="mine")


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.uint8, torch.bool])
def test_made_tensors_are_in_range(dtype) -> None:
    x = make_tensor((4, 5), dtype=dtype, device="cpu", low=0, high=2, exclude_zero=True)
    assert x.dtype is dtype and x.shape == (4, 5) and bool((x != 0).all())
