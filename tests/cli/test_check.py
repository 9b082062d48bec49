"""`chainrule check`: exit codes, and what it says about a wrong command line."""

from __future__ import annotations

import pytest

from chainrule.cli.main import main

PROGRAM = """
import chainrule as torch

class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 3

class Uses(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(3, 2)

    def forward(self, x):
        return Wrong.apply(self.fc(x))

def right():
    return torch.nn.Linear(3, 2), (torch.ones(4, 3), torch.zeros(4, 2)), torch.nn.MSELoss()

def wrong():
    return Uses(), torch.ones(4, 3)

def twice():
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Softmax(-1))
    data = torch.randn(8, 3), torch.arange(8) % 2
    return {"model": model, "data": data, "loss": torch.nn.CrossEntropyLoss()}

def nothing():
    return 5
"""


@pytest.fixture
def program(tmp_path):
    file = tmp_path / "some_program.py"
    file.write_text(PROGRAM, encoding="utf-8")
    return file


def run(program, name: str, *options: str) -> int:
    return main(["check", f"{program}:{name}", "--no-backends", *options])


def test_right_gradients_give_0(program, capsys) -> None:
    assert run(program, "right") == 0
    assert "All is right" in capsys.readouterr().out


def test_a_wrong_rule_gives_1_and_its_place(program, capsys) -> None:
    assert run(program, "wrong", "--lang", "en") == 1
    out = capsys.readouterr().out
    assert "Wrong" in out and "some_program.py:10" in out


def test_why_names_the_reason(program, capsys) -> None:
    assert run(program, "twice", "--why") == 1
    assert "softmax is applied before the cross-entropy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("where", "said"),
    [("{}", "FILE.py:FUNCTION"), ("{}:absent", "right, wrong"), ("{}:nothing", "dictionary"),
     ("no.py:f", "no file")],
)  # fmt: skip
def test_a_wrong_command_line_gives_2(program, capsys, where: str, said: str) -> None:
    assert main(["check", where.format(program)]) == 2
    assert said in capsys.readouterr().err
