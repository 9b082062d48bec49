"""`chainrule report`: a page of a run, also of one that lacks something; else it says what."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from chainrule.cli import train as train_module
from chainrule.cli.data import CHOICES
from chainrule.cli.main import main
from chainrule.cli.output import Output


@pytest.fixture(autouse=True)
def no_data(monkeypatch, tmp_path):
    monkeypatch.delenv("CHAINRULE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    arguments = ["train", "mlp", "--data", "digits", "--epochs", "2", "--limit", "200"]
    assert main([*arguments, "--seed", "5", "--output", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture
def run(trained, tmp_path) -> Path:
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def change(file: Path, **values) -> None:
    content = json.loads(file.read_text())
    content.update(values)
    file.write_text(json.dumps({k: v for k, v in content.items() if v != "gone"}))


def test_training_ends_with_a_report_that_needs_nothing_else(trained):
    text = (trained / "report.html").read_text()
    about = json.loads((trained / "metrics.json").read_text())
    assert about["command"] in text and about["sha256"]["test"] in text and "seed" in text
    assert f"{about['test_accuracy']:.1%}" in text
    assert about["steps"] == 14 and about["machine"]["cores"] >= 1 and not about["interrupted"]
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    assert "Left out" not in text


def test_a_report_is_written_again_in_chinese_and_elsewhere(run, capsys):
    (run / "report.html").unlink()
    assert main(["report", str(run)]) == 0
    assert capsys.readouterr().out.strip() == str(run / "report.html")
    assert main(["report", str(run), "--lang", "zh", "--output", "zh.html"]) == 0
    assert 'lang="zh-CN"' in Path("zh.html").read_text()


def test_train_can_do_without(tmp_path, capsys):
    arguments = ["train", "mlp", "--epochs", "1", "--limit", "50", "--output", "out"]
    assert main([*arguments, "--no-report", "--quiet"]) == 0
    assert not (tmp_path / "out" / "report.html").exists()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "harm, says",
    [
        (lambda run: shutil.rmtree(run), "does not exist"),
        (lambda run: [p.unlink() for p in run.iterdir()], "is no folder of `chainrule train`"),
        (lambda run: (run / "history.json").unlink(), "incomplete: no history.json"),
        (lambda run: (run / "model.safetensors").unlink(), "incomplete: no model.safetensors"),
        (lambda run: (run / "history.json").write_text("{"), "history.json is damaged"),
        (lambda run: (run / "history.json").write_text("[]"), "history.json is damaged: a list"),
        (lambda run: change(run / "history.json", loss=[1]), "lists of equal length"),
        (lambda run: change(run / "metrics.json", seed="gone"), "no 'seed'"),
        (lambda run: (run / "model.safetensors").write_bytes(b"x"), "model.safetensors is damaged"),
    ],
)
def test_a_folder_that_lacks_something_is_3_and_says_what(harm, says, run, capsys):
    harm(run)
    assert main(["report", str(run)]) == 3
    told = capsys.readouterr().err
    assert says in told and "Traceback" not in told


def test_data_that_are_not_here_leave_out_what_needs_them(run, capsys):
    change(run / "metrics.json", data="mnist")
    assert main(["report", str(run)]) == 0
    assert "the data set mnist is not on this machine" in capsys.readouterr().out
    text = (run / "report.html").read_text()
    assert "Left out" in text and "How it learned" in text and "The network" in text
    change(run / "metrics.json", data="hieroglyphs")
    assert main(["report", str(run), "--lang", "zh"]) == 0
    assert "此版本没有数据集" in capsys.readouterr().out


def test_other_data_than_those_of_the_training_are_told(run, capsys):
    change(run / "metrics.json", sha256={"training": "0" * 64, "test": "1" * 64})
    assert main(["report", str(run)]) == 0
    assert "SHA-256 is another one" in capsys.readouterr().out


def test_a_run_of_an_older_version_has_what_it_kept(run):
    kept = ("model", "data", "seed", "parameters", "seconds", "epochs", "test_accuracy")
    about = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps({k: about[k] for k in kept}))
    assert main(["report", str(run)]) == 0
    assert "The network" in (run / "report.html").read_text()


def test_a_report_that_cannot_be_written_loses_nothing(monkeypatch, tmp_path, capsys):
    def full(self, name, content):
        with self._says_what_to_do():
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Output, "text", full)
    arguments = ["train", "mlp", "--epochs", "1", "--limit", "50", "--output", "out"]
    assert main(arguments) == 4
    told = capsys.readouterr()
    assert "no room left" in told.err and "chainrule report out" in told.err
    assert "saved in out" in told.out
    assert (tmp_path / "out" / "model.safetensors").exists()
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["interrupted"] is False


def test_ctrl_c_while_the_report_is_written_loses_nothing(monkeypatch, tmp_path, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(train_module.runs, "report", interrupted)
    arguments = ["train", "mlp", "--epochs", "1", "--limit", "50", "--output", "out"]
    assert main(arguments) == 130
    assert "chainrule report out writes it" in capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "history.json", "metrics.json", "model.safetensors",
    ]  # fmt: skip


def test_a_run_that_was_killed_has_a_report(monkeypatch, tmp_path):
    """Everything is kept after every epoch: what ends the process later takes nothing."""

    class Killed(BaseException):
        pass

    real = train_module._Keep.on_epoch_end

    def second(self, epoch, logs=None):
        real(self, epoch, logs)
        if epoch == 1:
            raise Killed

    monkeypatch.setattr(train_module._Keep, "on_epoch_end", second)
    with pytest.raises(Killed):
        main(["train", "mlp", "--data", "digits", "--limit", "50", "--output", "out", "--quiet"])
    assert main(["report", "out"]) == 0
    text = (tmp_path / "out" / "report.html").read_text()
    assert "The training was interrupted." in text and "2 epochs" in text


def test_every_network_has_data_with_names_that_fit():
    data = CHOICES["transformer"]["sort"]()
    assert data.names == data.tokens == tuple("0123456789")
    assert data.limited(3).names == data.names and len(data.limited(3).test[0]) == 3
