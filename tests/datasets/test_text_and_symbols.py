"""Text as codes and windows, and symbolic tasks whose answers are known."""

import numpy as np
import pytest

from chainrule import datasets
from chainrule.datasets.symbolic import IGNORED
from chainrule.datasets.text import TRAIN, encode, windows
from chainrule.errors import DataError


@pytest.mark.parametrize("task, answer", [("sort", sorted), ("reverse", lambda d: d[::-1])])
def test_rows_are_question_and_answer(task, answer):
    x, y = datasets.load_symbolic(task, 500, length=4)
    assert x.shape == y.shape == (500, 7)
    for inputs, targets in zip(x.tolist(), y.tolist(), strict=True):
        row = [*inputs, targets[-1]]
        assert row[4:] == list(answer(row[:4]))
        assert targets == [IGNORED] * 3 + row[4:]


def test_questions_do_not_repeat():
    x, _ = datasets.load_symbolic("sort", 1000, length=3)
    assert len({tuple(row[:3]) for row in x.tolist()}) == 1000


@pytest.mark.parametrize(
    "arguments, says",
    [(("add", 5), "sort, reverse"), (("sort", 11, 1), "10 questions"), (("sort", 0), "0 were")],
)
def test_what_there_is_not_is_said(arguments, says):
    task, count, *length = arguments
    with pytest.raises(ValueError, match=says):
        datasets.load_symbolic(task, count, **dict(zip(["length"], length, strict=False)))


def test_windows_are_followed_by_what_comes_next():
    codes = encode("hello world", "".join(sorted(set("hello world"))))
    x, y = windows(codes, 4)
    assert x.shape == y.shape == (2, 4)
    np.testing.assert_array_equal(x.ravel()[1:], y.ravel()[:-1])


def test_missing_text_says_what_to_do():
    with pytest.raises(DataError, match=r"tinyshakespeare/input\.txt"):
        datasets.load_tiny_shakespeare(download=False)
    assert datasets.overview()["tiny_shakespeare"] == "not here"


def test_the_real_text(shared):
    train, test = (datasets.load_tiny_shakespeare(split) for split in ("train", "test"))
    assert len(train) == TRAIN and len(train) + len(test) == 1115394
    assert train.startswith("First Citizen:") and len(set(train + test)) == 65
