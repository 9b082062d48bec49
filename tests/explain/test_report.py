"""Reports of trained models: the numbers are right, what cannot be made is named, one file."""

from __future__ import annotations

import builtins
import re
import struct
import zlib

import numpy as np
import pytest

import chainrule as torch
from chainrule import explain, keras, nn
from chainrule.explain.pages.words import words
from chainrule.explain.reporting.curves import curves
from chainrule.explain.reporting.evaluation import Classes, Numbers, evaluate, probabilities
from chainrule.explain.reporting.examples import as_image, heat, png
from chainrule.explain.reporting.text import continued
from chainrule.training.provenance import fingerprint

HISTORY = {
    "loss": [1.0, 0.6, 0.4],
    "val_loss": [1.1, 0.8, 0.7],
    "accuracy": [0.5, 0.7, 0.9],
    "val_accuracy": [0.4, 0.6, 0.7],
}


class Table(nn.Module):
    """Gives for row i of its data the scores of line i."""

    def __init__(self, scores):
        super().__init__()
        self.scores = nn.Parameter(torch.tensor(scores))

    def forward(self, x):
        return x @ self.scores


def unit(n: int) -> np.ndarray:
    return np.eye(n, dtype=np.float32)


def test_classes_by_hand():
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.5, 0.3], [0.25, 0.25, 0.5]], np.float32)
    truth = np.array([0, 1, 2, 2])
    e = evaluate(Table(np.log(p)), unit(4), truth)
    assert isinstance(e, Classes)
    np.testing.assert_allclose(e.probabilities, p, rtol=1e-5)
    np.testing.assert_allclose(e.losses, -np.log([0.7, 0.6, 0.3, 0.5]), rtol=1e-5)
    assert e.accuracy == 0.75 and e.chance == 0.5
    assert e.confusion.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert e.precision.tolist() == [1, 0.5, 1] and e.recall.tolist() == [1, 1, 0.5]
    assert e.worst(2) == [2, 3]


def test_one_hot_truth_and_probabilities_are_taken_as_they_are():
    p = np.array([[0.7, 0.3], [0.4, 0.6]], np.float32)
    e = evaluate(Table(p), unit(2), unit(2))
    np.testing.assert_allclose(e.probabilities, p, rtol=1e-6)
    assert e.truth.tolist() == [0, 1]
    np.testing.assert_allclose(probabilities(np.array([[0.0, np.log(3)]])), [[0.25, 0.75]])


def test_one_number_for_two_classes():
    e = evaluate(Table(np.array([[0.0], [2.0]], np.float32)), unit(2), np.array([0, 1]))
    np.testing.assert_allclose(e.probabilities[:, 1], [0.0, 1.0], atol=1e-9) if e.loss > 9 else None
    np.testing.assert_allclose(e.probabilities[1, 1], 1 / (1 + np.exp(-2.0)), rtol=1e-6)


def test_regression_by_hand():
    e = evaluate(Table(np.array([[1.0], [2.0], [4.0]], np.float32)), unit(3), [1.5, 2.0, 3.0])
    assert isinstance(e, Numbers)
    assert e.loss == pytest.approx((0.25 + 0 + 1) / 3) and e.mean_error == pytest.approx(0.5)
    assert e.explained == pytest.approx(1 - e.loss / np.var([1.5, 2, 3]))
    assert e.worst(1) == [2]


def test_places_that_are_not_asked_count_for_nothing():
    class Places(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.zeros(1))

        def forward(self, x):  # (N, T) → (N, 3, T): certain of class x
            return 9.0 * nn.functional.one_hot(x, 3).float().transpose(1, 2) + self.w

    x = np.array([[0, 1, 2, 1], [2, 2, 2, 2]])
    truth = np.array([[-100, 1, 1, -100], [-100, -100, -100, 2]])
    e = evaluate(Places(), x, truth)
    assert e.accuracy == pytest.approx(2 / 3) and e.axis == 1 and e.by_place
    assert e.confusion.sum() == 3 and e.confusion[1, 2] == 1
    assert e.losses[1] < 1e-3 < e.losses[0]
    text = explain.report(Places(), test=(x, truth), tokens="abc").html()
    assert "What it writes" not in text  # no language: not every place is asked


def test_shapes_that_do_not_fit_are_told():
    with pytest.raises(RuntimeError, match=r"label 7 is none of the 3 classes"):
        evaluate(Table(np.zeros((2, 3), np.float32)), unit(2), np.array([0, 7]))
    with pytest.raises(RuntimeError, match="2 rows for 3"):
        evaluate(Table(np.zeros((2, 3), np.float32)), unit(2), np.array([0, 1, 2]))


def test_a_report_of_a_module(tmp_path):
    x = np.random.default_rng(0).random((60, 1, 6, 6)).astype(np.float32)
    y = (x.mean((1, 2, 3)) > 0.5).astype(np.int64)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(36, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 3)
    )
    model.train()
    before = model[1].weight.detach().numpy().copy()
    r = explain.report(
        model, test=(x, y), train=(x, y), history=HISTORY, classes=["dark", "<light>", "none"],
        title="A & B", facts={"seed": 3, "seconds": 1.5, "steps": 30, "command": "do it"},
        loss=nn.CrossEntropyLoss(),
    )  # fmt: skip
    text = r.html()
    assert not r.left_out
    assert model.training and (model[1].weight.detach().numpy() == before).all()
    assert "A &amp; B" in text and "&lt;light&gt;" in text and "<light>" not in text
    assert f"{r.metrics['accuracy']:.1%}" in text and "323" in text and "do it" in text
    assert text.count("data:image/png;base64") == 16  # eight pictures and what was attributed
    assert fingerprint([x, y]) in text and "50 ms" in text
    for key in ("curves", "results", "worst", "network", "provenance"):
        assert f'<section id="{key}">' in text and f'href="#{key}"' in text
    chinese = r.html("zh")
    assert "测试正确率" in chinese and "混淆" not in text and r.lang == "en"
    path = r.save(tmp_path / "r.html")
    assert path.read_text() == r.html() and list(tmp_path.iterdir()) == [path]


def test_a_report_of_a_keras_model_with_two_inputs_and_its_history():
    rng = np.random.default_rng(0)
    a, b = rng.random((40, 4)).astype(np.float32), rng.random((40, 3)).astype(np.float32)
    left, right = keras.Input((4,), name="left"), keras.Input((3,), name="right")
    y = keras.layers.Dense(1)(keras.layers.Concatenate()([left, right]))
    model = keras.Model([left, right], y)
    model.compile("sgd", "mse")
    history = model.fit([a, b], a.sum(1), epochs=2, verbose=0)
    r = explain.report(model, test=([a, b], a.sum(1)), history=history)
    text = r.html()
    assert not r.left_out and "R²" in text and "left" in text and "right" in text
    assert r.metrics["loss"] == pytest.approx(model.evaluate([a, b], a.sum(1), verbose=0), rel=1e-4)


def test_data_come_as_tensors_dictionaries_and_labels_as_floats():
    rng = np.random.default_rng(0)
    x, y = rng.random((30, 4)).astype(np.float32), rng.integers(0, 3, 30)
    model = nn.Linear(4, 3)
    plain = explain.report(model, test=(x, y))
    tensors = explain.report(model, test=(torch.tensor(x), torch.tensor(y).float()))
    assert plain.metrics == tensors.metrics and plain.facts["sha256"] != tensors.facts["sha256"]
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    sums = keras.Model({"a": a, "b": b}, keras.layers.Dense(1)(keras.layers.Add()([a, b])))
    named = explain.report(sums, test=({"a": x, "b": x}, x.sum(1)))
    assert "a" in named.html() and not named.left_out


def test_a_model_of_language_writes():
    class Next(nn.Module):
        """After code c comes c + 1, of five."""

        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(torch.tensor(50.0))

        def forward(self, x):
            return self.gain * nn.functional.one_hot((x + 1) % 5, 5).float().transpose(1, 2)

    codes = np.arange(41) % 5
    x, y = codes[:40].reshape(10, 4), codes[1:41].reshape(10, 4)
    assert continued(Next(), x[:1], 6).tolist() == [[4, 0, 1, 2, 3, 4]]
    r = explain.report(Next(), test=(x, y), tokens="abcd\n")
    assert r.writes and r.metrics["perplexity"] == pytest.approx(1.0)
    text = r.html()
    assert "What it writes" in text and "abcd</span>\nabcd\nabcd" in text


def test_what_cannot_be_made_is_left_out_with_the_reason():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.ones(2, 2))

        def forward(self, x):
            if x.shape[0] > 3:
                raise RuntimeError("no more than three rows")
            return x @ self.w

    r = explain.report(Odd(), test=(np.ones((8, 2), np.float32), np.zeros(8, int)), history=HISTORY)
    text = r.html()
    assert "no more than three rows" in text and "How it learned" in text
    assert any("three rows" in why for why in r.left_out.values())
    gone = explain.report(nn.Linear(2, 2), missing={"How well it does": "the data went away"})
    assert "the data went away" in gone.html() and "Where this comes from" in gone.html()
    with pytest.raises(TypeError, match="report takes a module"):
        explain.report(lambda x: x)


def test_without_matplotlib_there_are_the_numbers_and_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    text = curves(HISTORY, str)
    assert "chainrule[report]" in text and "0.4000" in text and "<svg" not in text


def test_curves_take_the_page_s_colours_and_letters():
    pytest.importorskip("matplotlib")
    say = words("zh")
    text = curves({**HISTORY, "my_metric": [1.0, float("nan"), 2.0]}, say)
    assert text.count("<svg") == 3 and "训练集" in text and ">损失<" in text
    assert "var(--accent)" in text and "#0000" not in text and "font-family" not in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_pictures_are_png():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    data = png(pixels)
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    assert (width, height, depth, kind) == (7, 5, 8, 2)
    at = data.index(b"IDAT")
    size = struct.unpack(">I", data[at - 4 : at])[0]
    raw = np.frombuffer(zlib.decompress(data[at + 4 : at + 4 + size]), np.uint8).reshape(5, 22)
    assert (raw[:, 0] == 0).all() and (raw[:, 1:].reshape(5, 7, 3) == pixels).all()
    assert as_image(np.zeros((3, 8, 9))).shape == (8, 9, 3)
    assert as_image(np.zeros((8, 9, 1))).shape == (8, 9) and as_image(np.zeros(5)) is None
    colours = heat(np.array([[1.0, -0.5], [0.0, 0.25]]))
    assert colours[0, 0, 3] == 255 and colours[1, 0, 3] == 0
    assert colours[0, 0, 0] > colours[0, 0, 2] and colours[0, 1, 2] > colours[0, 1, 0]


def test_a_fingerprint_is_of_type_shape_and_values():
    a = np.arange(6.0)
    every = {fingerprint([b]) for b in (a, a.astype("f4"), a.reshape(2, 3), a + 1)}
    assert len(every) == 4
    assert fingerprint([a.astype(">f8")]) == fingerprint([a.reshape(2, 3)[:, ::1].ravel()])
