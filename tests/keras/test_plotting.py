"""Drawings of models, and the table of a model."""

import shutil
import xml.etree.ElementTree

import pytest

from chainrule import keras
from chainrule.keras import layers, utils


@pytest.fixture
def model():
    a, b = keras.Input((8,), name="a"), keras.Input((8,), name="b")
    inner = keras.Sequential([keras.Input((16,)), layers.Dense(2, name="deep")], name="inner")
    joined = layers.Concatenate(name="joined")([a, b])
    return keras.Model([a, b], inner(joined) * 2, name="drawn")


def lines(text):
    return [line.strip() for line in text.splitlines()]


def test_dot(model, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pydot", None)
    text = lines(utils.model_to_dot(model, show_shapes=True))
    assert '"joined" [label="joined (Concatenate)\\nInput shape: (None, 8), (None, 8)\\n' \
        'Output shape: (None, 16)"];' in text  # fmt: skip
    assert '"a" -> "joined";' in text and '"joined" -> "inner";' in text
    nested = lines(utils.model_to_dot(model, expand_nested=True, rankdir="LR"))
    assert '"joined" -> "inner/deep";' in nested and '"inner/deep" -> "multiply";' in nested
    part = utils.model_to_dot(model, layer_range=["joined", "inner"])
    assert '"a"' not in part and '"joined" -> "inner";' in lines(part)
    with pytest.raises(ValueError, match="Unrecognized"):
        utils.model_to_dot(model, colour=True)


@pytest.mark.parametrize("rankdir", ["TB", "LR", "BT"])
def test_pictures_without_graphviz(model, tmp_path, monkeypatch, rankdir):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    options = {"show_layer_names": True, "show_dtype": True, "show_trainable": True}
    utils.plot_model(model, tmp_path / "m.svg", rankdir=rankdir, **options)
    tree = xml.etree.ElementTree.parse(tmp_path / "m.svg")
    texts = [e.text for e in tree.iter() if e.tag.endswith("text")]
    assert "joined (Concatenate)" in texts and "Output dtype: float32" in texts
    utils.plot_model(model, tmp_path / "m.dot")
    assert (tmp_path / "m.dot").read_text().startswith('digraph "drawn"')
    with pytest.raises(ImportError, match=r"`dot` is not installed; m.svg"):
        utils.plot_model(model, tmp_path / "m.pdf")


def test_a_png(model, tmp_path, monkeypatch):
    pytest.importorskip("PIL")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    utils.plot_model(model, tmp_path / "m.png", show_shapes=True, dpi=96)
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")


def test_a_model_that_is_not_built(tmp_path):
    with pytest.raises(ValueError, match="not yet been built"):
        utils.plot_model(keras.Sequential([layers.Dense(1)]), tmp_path / "m.svg")


def test_sources(model):
    assert utils.get_source_inputs(model.output) == model.inputs


def test_summary_is_given_once_and_can_be_cut(model):
    texts = []
    model.summary(print_fn=texts.append, line_length=80, layer_range=["joined", "inner"])
    (text,) = texts
    assert text.startswith('Model: "drawn"\n┏━') and "inner (Sequential)" in text
    assert "a (InputLayer)" not in text and "Total params: 34 (136.00 B)" in text
    with pytest.raises(ValueError, match="do not match"):
        model.summary(layer_range=["nothing", "inner"])
    with pytest.raises(ValueError, match="width"):
        model.summary(line_length=10)


def test_config():
    config = utils.Config(rate=0.1)
    config.steps = 3
    config["name"] = "x"
    assert (config.rate, config["steps"], list(config), len(config)) == (
        0.1, 3, ["name", "rate", "steps"], 3,
    )  # fmt: skip
    assert config.to_json() == '{"rate": 0.1, "steps": 3, "name": "x"}' and "rate" in config
    with pytest.raises(AttributeError, match="Did you mean 'rate'"):
        _ = config.ratee
    config.freeze()
    with pytest.raises(ValueError, match="frozen"):
        config.rate = 1
    config.unfreeze()
    assert config.pop("rate") == 0.1 and config.get("rate") is None
