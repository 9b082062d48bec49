"""Random programs (parameters made on the way, views, writes, looks) do what PyTorch does."""

import pytest
import torch as pytorch
from statements import program, run, same

import chainrule as torch


@pytest.mark.parametrize("seed", range(1000, 1150))
def test_a_random_program_gives_what_pytorch_gives(seed: int) -> None:
    statements = program(seed)
    expected = run(pytorch, statements)
    same(expected, run(torch, statements))
    same(expected, run(torch, statements, looks=True))
