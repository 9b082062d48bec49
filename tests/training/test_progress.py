"""Progress: plain lines where nobody watches, a live bar in a terminal."""

import io

import numpy as np
import pytest
from rich.console import Console

from chainrule.training import CallbackList, Progress, Steps, evaluate, run
from chainrule.training.data import ArrayBatches, IterableBatches
from chainrule.training.progress import number


class Model:
    stop_training = False


def show(verbose=1, terminal=False, epochs=2, batches=None, validate=None):
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100, highlight=False)
    data = batches or ArrayBatches((np.zeros(3), None, None), batch_size=1)
    looks = []

    def results(returned):
        looks.append(1)
        return {"accuracy": 0.5, "loss": 0.25}

    steps = Steps(lambda b: None, results, lambda: None)
    callbacks = CallbackList(
        [Progress(verbose, console=console)], Model(), epochs=epochs, steps=data.steps
    )
    run(steps, data, callbacks, epochs=epochs, validate=validate)
    return out.getvalue(), len(looks)


def test_a_line_per_epoch_without_a_terminal():
    text, looks = show()
    lines = text.splitlines()
    assert lines[0] == "Epoch 1/2" and lines[2] == "Epoch 2/2" and len(lines) == 4
    assert lines[1].startswith("3/3 - 0s - ")
    assert lines[1].endswith("/step - accuracy: 0.5000 - loss: 0.2500")
    assert looks == 2  # once per epoch


def test_a_bar_in_a_terminal_reads_only_when_it_draws():
    text, looks = show(terminal=True)
    assert "━" * 20 in text and "accuracy: 0.5000" in text
    assert looks == 2  # three steps took less than a tenth of a second


def test_silence():
    assert show(verbose=0)[0] == ""
    with pytest.raises(ValueError, match="verbose"):
        Progress(3)


def test_validation_shows_with_its_epoch():
    text, _ = show(validate=lambda: {"loss": 0.125}, epochs=1)
    assert "loss: 0.2500 - val_loss: 0.1250" in text


def test_an_unknown_number_of_steps_is_known_in_the_second_epoch():
    class Once:
        def __iter__(self):
            return iter([(np.zeros(1),)] * 3)

    text, _ = show(batches=IterableBatches(Once()))
    assert [line[:3] for line in text.splitlines()[1::2]] == ["3/3", "3/3"]


def test_evaluation_shows_one_line():
    out = io.StringIO()
    console = Console(file=out, width=100)
    data = ArrayBatches((np.zeros(4), None, None), batch_size=2)
    steps = Steps(lambda b: None, lambda r: {"loss": 1.0}, lambda: None)
    evaluate(steps, data, CallbackList([Progress(1, console=console)], Model(), steps=2))
    assert out.getvalue().startswith("2/2 - 0s - ") and out.getvalue().endswith("loss: 1.0000\n")


def test_numbers():
    assert [number(v) for v in (0.5, 0.0, 12.0, 5e-4, float("nan"))] == [
        "0.5000", "0.0000", "12.0000", "5.0000e-04", "nan",
    ]  # fmt: skip
