"""`chainrule train` learns, keeps what it learned, and says by its exit code how it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from chainrule import models
from chainrule.cli import train as train_module
from chainrule.cli.data import CHOICES
from chainrule.cli.main import main

BETTER_THAN = {"mlp": 0.75, "dcnn": 0.6, "rnn": 0.3, "transformer": 0.2}  # after a second or two
QUICK = {
    "mlp": ["--epochs", "10", "--limit", "600"],
    "dcnn": ["--epochs", "8", "--limit", "400"],
    "rnn": ["--epochs", "4", "--limit", "600"],
    "transformer": ["--epochs", "2", "--limit", "1500"],
}


@pytest.fixture(autouse=True)
def no_data(monkeypatch, tmp_path):
    """A machine without data sets and without a network: the defaults need neither."""
    monkeypatch.delenv("CHAINRULE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("chainrule.datasets.fetch._blocks", refuse)
    monkeypatch.chdir(tmp_path)


def refuse(*_):
    raise AssertionError("a test wanted to download")


def contents(folder: Path, name: str):
    return json.loads((folder / f"{name}.json").read_text())


@pytest.mark.parametrize("model", CHOICES)
def test_every_network_learns_without_a_download(model, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["train", model, *QUICK[model], "--output", str(out)]) == 0
    metrics, history = contents(out, "metrics"), contents(out, "history")
    assert sorted(p.name for p in out.iterdir()) == [
        "history.json", "metrics.json", "model.safetensors", "report.html",
    ]  # fmt: skip
    assert metrics["test_accuracy"] > BETTER_THAN[model]
    assert history["loss"][-1] < history["loss"][0]
    assert {len(values) for values in history.values()} == {metrics["epochs"]}
    assert history["val_accuracy"][-1] == metrics["test_accuracy"]
    printed = capsys.readouterr().out
    assert f"accuracy {metrics['test_accuracy']:.4f}" in printed
    assert "Epoch 1/" in printed and "\x1b" not in printed  # plain lines: this is no terminal


def test_the_saved_network_scores_what_the_report_says(tmp_path):
    main(["train", "mlp", "--epochs", "3", "--output", str(tmp_path / "out"), "--quiet"])
    model = models.load(tmp_path / "out" / "model.safetensors")
    images, labels = CHOICES["mlp"]["digits"]().test
    scores = model(train_module.as_batches(images, batch_size=len(images)).epoch().__next__()[0])
    accuracy = (scores.detach().numpy().argmax(1) == labels).mean()
    assert accuracy == pytest.approx(contents(tmp_path / "out", "metrics")["test_accuracy"])


def test_the_same_seed_gives_the_same_run(tmp_path):
    arguments = [
        "train",
        "transformer",
        "--epochs",
        "1",
        "--limit",
        "500",
        "--quiet",
        "--no-report",
        "--output",
    ]
    for folder, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main([*arguments, str(tmp_path / folder), "--seed", seed]) == 0
    a, b, c = (contents(tmp_path / folder, "history")["loss"] for folder in "abc")
    assert a == b != c


def test_default_folders_do_not_overwrite_each_other(tmp_path):
    for _ in range(2):
        assert (
            main(["train", "mlp", "--epochs", "1", "--limit", "50", "--quiet", "--no-report"]) == 0
        )
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["mlp-digits", "mlp-digits-2"]


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["train", "cnn"], "'cnn' is not one of"),
        (["train", "mlp", "--epochs", "0"], "x>=1"),
        (["train", "mlp", "--lr", "-1"], "x>0"),
        (["train", "rnn", "--data", "sort"], "none of digits, sonar"),
        (["train", "mlp", "--what"], "No such option"),
        (["fly"], "No such command"),
    ],
)
def test_a_wrong_command_line_is_2(arguments, says, capsys):
    assert main(arguments) == 2
    assert says in capsys.readouterr().err


def test_missing_data_are_3_and_say_what_to_do(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path / "nowhere"))
    assert main(["train", "rnn", "--data", "sonar", "--output", str(tmp_path / "out")]) == 3
    error = capsys.readouterr().err
    assert "CHAINRULE_DATA" in error and "Traceback" not in error


def test_a_folder_that_cannot_be_written_is_4(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert main(["train", "mlp", "--output", str(tmp_path / "file" / "out")]) == 4
    assert "choose another folder" in capsys.readouterr().err.lower()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_4(monkeypatch, tmp_path, capsys):
    def opened(file, mode="r", *rest, **more):
        return real("/dev/full", "wb") if mode == "xb" else real(file, mode, *rest, **more)

    real = open
    monkeypatch.setattr("builtins.open", opened)
    out = tmp_path / "out"
    assert main(["train", "mlp", "--epochs", "1", "--limit", "50", "--output", str(out)]) == 4
    assert "no room left" in capsys.readouterr().err
    assert list(out.iterdir()) == []  # nothing half-written


def test_a_loss_that_is_no_number_is_5_and_the_last_good_model_stays(monkeypatch, tmp_path, capsys):
    x = np.full((64, 1, 8, 8), 1e30, np.float32)
    data = train_module.Data((x, np.arange(64) % 10), (x, np.arange(64) % 10), 10)
    monkeypatch.setitem(CHOICES["mlp"], "digits", lambda: data)
    assert main(["train", "mlp", "--lr", "1e30", "--output", str(tmp_path / "out")]) == 5
    assert "diverged" in capsys.readouterr().out
    assert contents(tmp_path / "out", "metrics")["diverged"] is True
    assert None in contents(tmp_path / "out", "history")["loss"]


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_keeps_model_and_history(number, code, tmp_path):
    out = tmp_path / "out"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "chainrule",
            "train",
            "mlp",
            "--epochs",
            "100000",
            "--output",
            str(out),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(models.__file__).parents[2])},
    )
    try:
        deadline = time.monotonic() + 60
        while not (out / "model.safetensors").is_file() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        printed, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == code
    assert "stopped in epoch" in printed
    metrics, history = contents(out, "metrics"), contents(out, "history")
    assert metrics["interrupted"] is True and metrics["epochs"] == len(history["loss"]) >= 1
    models.load(out / "model.safetensors")
