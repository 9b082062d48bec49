"""Random programs mean the same, however they are cut into pieces that are computed at once."""

import pytest
from statements import program, run, same

import chainrule as torch
from chainrule import config


@pytest.mark.parametrize("seed", range(50))
def test_looking_everywhere_changes_nothing(seed: int) -> None:
    statements = program(seed)
    same(run(torch, statements), run(torch, statements, looks=True))


@pytest.mark.parametrize("seed", range(50, 70))
def test_computing_every_operation_at_once_changes_nothing(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = program(seed)
    lazy = run(torch, statements)
    monkeypatch.setattr(config, "eager", True)
    same(lazy, run(torch, statements))
