"""Each example runs from its first line to its last, and learns, on a machine without data sets."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import datasets

SEEDS = Path(__file__).resolve().parents[2] / "examples" / "seeds"


@pytest.fixture(autouse=True)
def no_data(monkeypatch, tmp_path):
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("chainrule.datasets.fetch._blocks", refuse)


def refuse(*_):
    raise AssertionError("a test wanted to download")


@pytest.fixture
def digits_as_mnist(tmp_path):
    """The embedded digits, 8 × 8, enlarged to 28 × 28 and laid out as Keras lays out MNIST."""
    arrays = {}
    for split in ("train", "test"):
        images, labels = datasets.load_digits(split)
        large = (images.astype(np.float32) * (255 / 16)).round().astype(np.uint8)
        large = large.repeat(3, axis=1).repeat(3, axis=2)
        arrays[f"x_{split}"] = np.pad(large, ((0, 0), (2, 2), (2, 2)))
        arrays[f"y_{split}"] = labels
    np.savez(tmp_path / "mnist.npz", **arrays)


def run(monkeypatch, name: str, *arguments: str) -> dict[str, Any]:
    """What the program's names stand for at its end."""
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    monkeypatch.syspath_prepend(str(SEEDS))
    return runpy.run_path(str(SEEDS / f"{name}.py"), run_name="__main__")


def test_the_first_document(monkeypatch, digits_as_mnist, capsys):
    names = run(monkeypatch, "mnist_mlp")
    printed = capsys.readouterr().out
    assert names["test_acc"] > 0.85
    assert "Epoch 10/10" in printed and f"Test accuracy: {names['test_acc']}" in printed


def test_the_convolutional_network(monkeypatch, digits_as_mnist, capsys):
    names = run(monkeypatch, "dcnn", "--epochs", "3", "--batch-size", "4", "--limit", "720")
    assert [line[:8] for line in capsys.readouterr().out.splitlines()] == [
        f"epoch {n}:" for n in (1, 2, 3)
    ]
    assert names["around"].accuracy(names["model"], names["test_loader"]) > 0.6


def test_the_recurrent_network(monkeypatch, capsys):
    rng = np.random.default_rng(0)

    def echoes(split: str):
        """Rising or falling courses, with noise."""
        classes = np.arange(120) % 2
        course = np.linspace(-1, 1, 6)[None, :, None] * (2 * classes[:, None, None] - 1)
        return (course + rng.normal(0, 0.3, (120, 6, 10))).astype(np.float32), classes

    monkeypatch.setattr(datasets, "load_sonar", echoes)
    run(monkeypatch, "lstm", "--epochs", "4")
    last = capsys.readouterr().out.splitlines()[-1]
    assert float(re.findall(r"([\d.]+) %", last)[0]) > 90


def test_the_transformer(monkeypatch, capsys):
    names = run(monkeypatch, "transformer", "--epochs", "2", "--limit", "1000")
    assert names["loss"].item() < 1.9 < np.log(10)
    assert capsys.readouterr().out.count("sorted without a fault") == 2


@pytest.mark.parametrize("name", ["dcnn", "lstm", "transformer"])
def test_missing_data_end_with_what_to_do(name, monkeypatch, capsys):
    monkeypatch.setattr("chainrule.datasets.fetch._blocks", unreachable)
    arguments = ["--task", "shakespeare"] if name == "transformer" else []
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, name, *arguments)
    assert ended.value.code == 3
    assert "CHAINRULE_DATA" in capsys.readouterr().err or "go on without" in str(ended.value)


def unreachable(*_):
    raise OSError("no network in a test")
