"""The printed Transformer fails with errors that a reader can act on; each fault alone, too.

Four faults are no errors in themselves, in PyTorch neither: what they compute is wrong or the same.
The last test says which, and when.
"""

from __future__ import annotations

from typing import Any

import pytest
from faults import FAULTS, program, with_fault

import chainrule as torch

#: Fault → the error, and what its text must say: what came, and what would be right.
ERRORS: dict[str, tuple[type[Exception], list[str]]] = {
    "1 math is not imported": (NameError, ["'math' is not defined"]),
    "3 the dropout lands in dim_feedforward": (TypeError, ["dim_feedforward", "0.1", "dropout="]),
    "4 a ModuleList is called": (
        NotImplementedError,
        ["ModuleList", "forward", "for layer in layers"],
    ),
    "5 the position encoding overwrites the embedding": (
        ValueError,
        ["axis 1", "(1, 9)", "(4, 9)"],
    ),
    "6 the mask is all zeros and of the wrong type": (
        Exception,
        ["mask", "float", "bool", "int64"],
    ),
    "7 unsqueeze breaks the shapes": (RuntimeError, ["(4, 9, 50)", "(9, 1, 50)"]),
    "7 the layers are not told that the batch comes first": (RuntimeError, ["mask", "9", "4"]),
    "8 the loss wants classes on axis 1": (RuntimeError, ["10", "9"]),
}


def train(text: str, rows: int = 4, steps: int = 9) -> dict[str, Any]:
    """One epoch of one batch."""
    torch.manual_seed(0)
    batch = torch.randint(0, 10, (rows, steps)), torch.randint(0, 10, (rows, steps))
    names: dict[str, Any] = {"train_loader": [batch], "vocabulary": 10}
    exec(text.replace("range(10)", "range(1)"), names)
    return names


def test_the_printed_program_fails_at_its_first_fault() -> None:
    with pytest.raises(TypeError, match=r"dim_feedforward.*0\.1.*dropout="):
        train(program("transformer_as_printed"))


def test_the_repaired_program_runs() -> None:
    assert 0 < train(program("transformer"))["loss"].item() < 10


@pytest.mark.parametrize("fault", ERRORS)
def test_each_fault_alone_says_what_is_wrong(fault: str) -> None:
    kind, words = ERRORS[fault]
    with pytest.raises(kind) as raised:
        train(with_fault(fault))
    text = str(raised.value)
    assert [word for word in words if word not in text] == [], text


def test_faults_that_are_no_errors() -> None:
    """PyTorch runs these as well (2.13 gives numbers for all of them)."""
    repaired = train(program("transformer"))["loss"].item()
    # math.sqrt takes a tensor of one element: the program is slower, its numbers are the same
    assert train(with_fault("2 math.sqrt gets a tensor"))["loss"].item() == repaired
    # as many rows as steps: shapes fit by accident, the positions go to the rows
    for fault in (name for name in FAULTS if name.startswith("7")):
        assert train(with_fault(fault), rows=9, steps=9)["loss"].item() > 0
    # as many steps as classes: the loss takes the steps for the classes
    fault = "8 the loss wants classes on axis 1"
    assert train(with_fault(fault), rows=4, steps=10)["loss"].item() > 0
