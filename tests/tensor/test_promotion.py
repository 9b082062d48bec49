"""Element types of results: every row was computed by PyTorch (see "how" in promotion.json)."""

import json
import pathlib

import pytest

import chainrule as torch

ROWS = [
    row.split()
    for row in json.loads((pathlib.Path(__file__).parent / "promotion.json").read_text())["rows"]
]
NUMBERS = {"True": True, "2": 2, "0.5": 0.5}
OPS = sorted({row[0] for row in ROWS})


def value(spec):
    """`float32[3]` a tensor, `float32[]` a tensor without axes, `2` a number."""
    if spec in NUMBERS:
        return NUMBERS[spec]
    name, _, rest = spec.partition("[")
    return torch.ones(3 if rest == "3]" else (), dtype=getattr(torch, name))


@pytest.mark.parametrize("op", OPS)
def test_promotion(op):
    wrong = []
    for _, a, b, want in (row for row in ROWS if row[0] == op):
        args = [value(a)] if b == "-" else [value(a), value(b)]
        out = getattr(torch, op)(*args, *([0] if op == "cumsum" else []))
        if out.dtype.name != want or out.numpy(force=True).dtype != out.dtype.np:
            wrong.append(f"{a} {b}: {out.dtype.name}, not {want}")
    assert not wrong


def test_the_default_dtype_is_what_floats_become():
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.tensor(1.5).dtype is torch.float64 and (torch.ones(2).dtype) is torch.float64
        assert (torch.tensor([1, 2]) / 2).dtype is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    with pytest.raises((TypeError, RuntimeError)):
        torch.set_default_dtype(torch.int64)


def test_integers_wrap_around():
    x = torch.tensor([250], dtype=torch.uint8)
    assert (x + 10).tolist() == [4] and (x * 2).tolist() == [244] and (x + 300).tolist() == [38]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: torch.ones(2, dtype=torch.int64) @ torch.ones(2), "same dtype"),
        (lambda: torch.ones(2, dtype=torch.int64).mean(), "floating"),
        (lambda: torch.tensor([True]) - torch.tensor([True]), "not supported"),
        (lambda: torch.ones(2, dtype=torch.int64, requires_grad=True), "floating"),
        (lambda: torch.tensor([1, 2]) ** -1, "negative integer powers"),
        (lambda: torch.where(torch.ones(2), 1, 2), "bool"),
    ],
)
def test_types_that_do_not_fit_are_errors_at_once(call, error):
    with pytest.raises((RuntimeError, TypeError), match=error):
        call()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: torch.ones(2, 3) + torch.ones(2), "broadcast"),
        (lambda: torch.ones(2, 3) @ torch.ones(2, 3), "cannot be multiplied"),
        (lambda: torch.ones(2, 3).view(4), "invalid for input of size 6"),
        (lambda: torch.ones(2, 3).sum(2), "Dimension out of range"),
        (lambda: torch.cat([torch.ones(2), torch.ones(2, 2)]), "same number of dimensions"),
        (lambda: torch.stack([torch.ones(2), torch.ones(3)]), "equal size"),
        (lambda: torch.ones(2, 3).permute(0, 0), "twice"),
        (lambda: torch.ones(2).expand(3), "must match"),
        (lambda: torch.ones(2, 3).t().view(6), "not compatible"),
    ],
)
def test_shapes_that_do_not_fit_are_errors_at_once(call, error):
    with pytest.raises((RuntimeError, IndexError), match=error):
        call()
