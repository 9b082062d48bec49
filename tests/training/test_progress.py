"""Progress: Keras's bytes on a screen, one line per epoch where nobody watches."""

import io
import logging
import re
import sys

import numpy as np
import pytest

from chainrule.training import CallbackList, Progbar, ProgbarLogger, Steps, evaluate, run
from chainrule.training.data import ArrayBatches, IterableBatches
from chainrule.training.messages import (
    disable_interactive_logging,
    enable_interactive_logging,
    print_msg,
    set_logging_verbosity,
)


class Model:
    stop_training = False


class Terminal(io.StringIO):
    def isatty(self):
        return True


def show(monkeypatch, verbose=1, terminal=False, epochs=2, batches=None, validate=None):
    out = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    data = batches or ArrayBatches((np.zeros(3), None, None), batch_size=1)
    looks = []

    def results(returned):
        looks.append(1)
        return {"accuracy": 0.5, "loss": 0.25}

    steps = Steps(lambda b: None, results, lambda: None)
    callbacks = CallbackList(
        [ProgbarLogger()], model=Model(), epochs=epochs, steps=data.steps, verbose=verbose
    )
    run(steps, data, callbacks, epochs=epochs, validate=validate)
    return out.getvalue(), len(looks)


def test_a_line_per_epoch_in_a_pipe(monkeypatch):
    text, looks = show(monkeypatch)
    lines = text.splitlines()
    assert lines[0] == "Epoch 1/2" and lines[2] == "Epoch 2/2" and len(lines) == 4
    assert re.fullmatch(r"3/3 ━{20} 0s \d+us/step - accuracy: 0.5000 - loss: 0.2500", lines[1])
    assert looks == 2  # once per epoch


def test_a_single_epoch_has_no_heading(monkeypatch):
    assert show(monkeypatch, epochs=1)[0].startswith("3/3 ")


def test_verbose_2(monkeypatch):
    lines = show(monkeypatch, verbose=2)[0].splitlines()
    assert re.fullmatch(r"3/3 - 0s - \d+us/step - accuracy: 0.5000 - loss: 0.2500", lines[1])


def test_a_screen_is_drawn_over_and_read_from_only_when_drawn(monkeypatch):
    text, looks = show(monkeypatch, terminal=True, epochs=1)
    # the bytes that Keras 3 writes
    one = r"\r\x1b\[1m1/3\x1b\[0m \x1b\[32m━{6}\x1b\[0m\x1b\[37m━{14}\x1b\[0m \x1b\[1m0s\x1b\[0m "
    first = one + r"\d+us/step - accuracy: 0.5000 - loss: 0.2500"
    last = one.replace("1/3", "3/3").replace("{6}", "{20}").replace("{14}", "{0}")
    last += r"\d+us/step - accuracy: 0.5000 - loss: 0.2500 *\n"
    assert re.fullmatch(first + r"\x08+" + last, text)
    assert looks == 2  # the first step, and the end: the others took less than a twentieth second


def test_silence(monkeypatch):
    assert show(monkeypatch, verbose=0)[0] == ""
    with pytest.raises(ValueError, match="verbose"):
        show(monkeypatch, verbose=3)


def test_validation_shows_with_its_epoch(monkeypatch):
    text, _ = show(monkeypatch, validate=lambda: {"loss": 0.125}, epochs=1)
    assert "loss: 0.2500 - val_loss: 0.1250" in text


def test_an_unknown_number_of_steps_is_known_in_the_second_epoch(monkeypatch):
    class Once:
        def __iter__(self):
            return iter([(np.zeros(1),)] * 3)

    text, _ = show(monkeypatch, batches=IterableBatches(Once()))
    assert [line[:3] for line in text.splitlines()[1::2]] == ["3/3", "3/3"]


def test_evaluation_shows_one_line(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    data = ArrayBatches((np.zeros(4), None, None), batch_size=2)
    steps = Steps(lambda b: None, lambda r: {"loss": 1.0}, lambda: None)
    evaluate(steps, data, CallbackList([ProgbarLogger()], model=Model(), steps=2, verbose="auto"))
    assert out.getvalue().startswith("2/2 ━") and out.getvalue().endswith("loss: 1.0000\n")


def bar(**options):
    made = Progbar(**{"target": 4, "interval": 0.0} | options)
    made._start = 0.0
    return made


@pytest.mark.parametrize("options, shown", [
    ({}, "1."), ({"stateful_metrics": ["v"]}, "2."), ({"stateless_metrics": []}, "2."),
    ({"stateless_metrics": ["v"]}, "1."),
])  # fmt: skip
def test_averages(capsys, options, shown):
    progress = bar(**options)
    progress.update(1, [("v", 0.0)])
    progress.update(2, [("v", 2.0)])
    assert f"v: {shown}0" in capsys.readouterr().out.splitlines()[-1]


def test_both_kinds_of_metrics_cannot_be_named():
    with pytest.raises(ValueError, match="Only one of"):
        Progbar(1, stateful_metrics=[], stateless_metrics=[])


@pytest.mark.parametrize("seconds, clock", [(5, "15s"), (40, "2:00"), (2000, "1:40:00")])
def test_time_that_is_left(monkeypatch, capsys, seconds, clock):
    monkeypatch.setattr("time.time", lambda: float(seconds))
    bar().update(1, [("loss", 1e-5)])
    assert f" {clock} {seconds}s/step - loss: 1.0000e-05" in capsys.readouterr().out


def test_no_target(capsys):
    progress = bar(target=None)
    progress.add(3, [("loss", 0)])
    assert capsys.readouterr().out.startswith("      3/Unknown ")


def test_a_log_instead_of_the_screen(capsys, caplog):
    disable_interactive_logging()
    try:
        with caplog.at_level(logging.INFO, "chainrule.keras"):
            print_msg("seen")
    finally:
        enable_interactive_logging()
    assert caplog.messages == ["seen"] and capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="valid level"):
        set_logging_verbosity("LOUD")


def test_an_output_without_the_character(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="cp1251"))
    print_msg("━ ok")
    assert raw.getvalue() == b"= ok\n"
