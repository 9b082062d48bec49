"""A model as a picture: every layer once, shapes on the edges, equal blocks folded."""

from __future__ import annotations

import re
import xml.etree.ElementTree

import pytest

import chainrule as torch
from chainrule import explain, keras, models, nn
from chainrule.explain.drawing.diagram import diagram
from chainrule.explain.observe import observe
from chainrule.vision.models import resnet18


def texts(svg: str) -> list[str]:
    root = xml.etree.ElementTree.fromstring(svg)
    return ["".join(t.itertext()) for t in root.iter() if t.tag.endswith("}text")]


def arrows(d) -> list[tuple[str, str, str]]:
    def name(i):
        return i.path or i.title or i.kind

    return [(name(e.source), name(e.target), e.shape) for e in d.edges]


def drawn(model, *args, **kwargs):
    return diagram(observe(model, *args, **kwargs))


def test_layers_and_shapes_of_a_plain_network():
    d = drawn(models.MLP((4, 4), hidden=8, classes=3), torch.zeros(2, 4, 4))
    assert arrows(d) == [
        ("x", "flatten", "2×4×4"),
        ("flatten", "fc1", "2×16"),
        ("fc1", "relu", "2×8"),
        ("relu", "fc2", "2×8"),
        ("fc2", "output", "2×3"),
    ]
    assert [i.parameters for i in d.items] == [0, 0, 136, 0, 27, 0]


def test_blocks_in_a_row_are_folded_and_residual_sums_are_seen():
    d = drawn(models.Transformer(num_layers=3).eval(), torch.zeros(2, 9, dtype=torch.int64))
    (block,) = [i for i in d.items if i.inside is not None]
    assert (block.title, block.path, block.times) == ("TransformerEncoderLayer", "layers.0–2", 3)
    inner = arrows(block.inside)
    assert ("input", "+", "2×9×50") in inner and ("dropout1", "+", "2×9×50") in inner
    assert ("position_encoding", "+", "9×50") in arrows(d)  # computed from no input at all
    assert not any("mask" in i.title or i.title == "triu" for i in d.walk())


def test_a_decoder_takes_two_inputs_and_its_layers_fold_although_each_takes_the_memory():
    model = nn.Transformer(8, 2, 3, 4, 16, batch_first=True)
    d = drawn(model, torch.zeros(1, 5, 8), torch.zeros(1, 6, 8))
    assert [i.title for i in d.ins] == ["src", "tgt"]
    decoder = next(i for i in d.items if i.path == "decoder")
    layers = next(i for i in decoder.inside.items if i.times > 1)
    assert layers.times == 4
    assert len([e for e in decoder.inside.edges if e.target is layers]) == 2


def test_stages_of_a_residual_network():
    d = drawn(resnet18(), torch.zeros(1, 3, 64, 64))
    assert [i.path for i in d.items if i.inside is not None] == [f"layer{k}" for k in (1, 2, 3, 4)]
    first = next(i for i in d.items if i.path == "layer1").inside
    assert [i.times for i in first.items] == [1, 2, 1]  # input, two blocks, output
    block = next(i for i in d.items if i.path == "layer2").inside.items[1].inside
    assert ("downsample", "+", "1×128×8×8") in arrows(block)
    # relu(inplace=True) writes over its input: drawn as what it does, once
    assert not any(i.kind == "op" and "relu" in i.title for i in block.walk())
    assert sum(i.parameters for i in d.items) == sum(p.numel() for p in resnet18().parameters())


def test_a_functional_keras_model_with_branches():
    x = keras.Input((8, 8, 1))
    a = keras.layers.Conv2D(4, 3, padding="same", name="small")(x)
    b = keras.layers.Conv2D(4, 5, padding="same", name="large")(x)
    y = keras.layers.Add(name="sum")([a, b])
    model = keras.Model(x, keras.layers.Dense(2, activation="softmax", name="end")(y))
    d = drawn(model, torch.zeros(2, 8, 8, 1))
    assert {e[:2] for e in arrows(d)} >= {("small", "sum"), ("large", "sum"), ("sum", "end")}
    assert next(i for i in d.items if i.path == "end").detail == "softmax"


def test_recurrence_and_a_model_without_layers():
    d = drawn(models.RNN(10), torch.zeros(2, 6, 10))
    assert [i.title for i in d.items if i.kind == "layer"] == ["LSTM", "Linear"]

    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(3))

        def forward(self, x):
            return torch.softmax((x + self.bias) * 2, -1).sum(0)

    assert [i.title for i in drawn(Bare(), torch.zeros(2, 3)).items[1:-1]] == [
        "+ bias → × 2 → softmax → sum"
    ]


def test_a_cell_in_a_loop_is_one_layer_however_often_it_is_called():
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(4, 8)

        def forward(self, x):
            h = torch.zeros(x.shape[0], 8)
            for t in range(x.shape[1]):
                h = self.cell(x[:, t], h)
            return h

    cells = [i for i in drawn(Loop(), torch.zeros(2, 9, 4)).items if i.title == "GRUCell"]
    assert sum(i.times for i in cells) == 9
    assert {(i.path, i.parameters) for i in cells} == {("cell", 336)}


def test_the_picture_is_xml_with_all_of_it_and_no_address_of_anything():
    model = nn.Transformer(8, 2, 3, 3, 16, batch_first=True)
    x = torch.zeros(1, 5, 8)
    svg = explain.draw(model, x, x, depth=2).svg()
    said = texts(svg)
    assert "×3" in said and "1×5×8" in said and "src, tgt" in said
    assert any("TransformerDecoderLayer" in t for t in said)
    assert not re.search(r'(href|src)="', svg) and "url(" not in svg
    deeper = texts(explain.draw(model, x, x, depth=3).svg())
    assert len(deeper) > len(said) and any("multihead_attn" in t for t in deeper)


def test_a_long_network_without_blocks_gets_some():
    layers = [layer for _ in range(15) for layer in (nn.Linear(8, 8), nn.ReLU())]
    d = drawn(nn.Sequential(*layers, nn.Linear(8, 2)), torch.zeros(1, 8))
    (block,) = [i for i in d.items if i.inside is not None]
    assert (block.title, block.path, block.times) == ("Sequence", "0–29", 15)
    assert [i.path for i in block.inside.items] == ["", "0", "1", ""]
    assert {("input", "0–29", "1×8"), ("0–29", "30", "1×8")} <= set(arrows(d))
    x = y = keras.Input((4, 4, 3))
    for k in range(6):  # residual: each part is taken twice
        z = keras.layers.Conv2D(3, 1, activation="relu", name=f"block{k}_conv1")(y)
        z = keras.layers.Conv2D(3, 1, name=f"block{k}_conv2")(z)
        y = keras.layers.Activation("relu", name=f"block{k}_relu")(
            keras.layers.Add(name=f"block{k}_add")([y, z])
        )
    d = drawn(keras.Model(x, y), torch.zeros(1, 4, 4, 3))
    (block,) = [i for i in d.items if i.inside is not None]
    assert (block.path, block.times) == ("block0–5", 6)
    assert len(block.inside.ins) == 1 and len(block.inside.edges) == 6


def test_nothing_is_computed_or_changed():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5))
    before = torch.get_rng_state()
    explain.draw(model, torch.ones(4, 3))
    assert model[0].running_mean.tolist() == [0, 0, 0] and model[0].num_batches_tracked == 0
    assert torch.equal(before, torch.get_rng_state())


def test_saving_and_pages(tmp_path):
    d = explain.draw(models.MLP((4, 4)), torch.zeros(1, 4, 4), lang="zh")
    d.save(tmp_path / "m.svg")
    xml.etree.ElementTree.parse(tmp_path / "m.svg")
    page = d.save(tmp_path / "m.html").read_text()
    assert "个参数" in page and 'lang="zh-CN"' in page and "http-equiv" not in page
    with pytest.raises(ValueError, match=r"\.svg or \.html"):
        d.save(tmp_path / "m.gif")
    with pytest.raises(ValueError, match="depth counts from 1"):
        explain.draw(models.MLP((4, 4)), torch.zeros(1, 4, 4), depth=0)
    with pytest.raises(ValueError, match="lang is one of"):
        explain.draw(models.MLP((4, 4)), torch.zeros(1, 4, 4), lang="fr")


def test_closed_containers_unfold_below_the_picture():
    body = explain.draw(resnet18(), torch.zeros(1, 3, 64, 64)).body()
    assert body.count("<details>") >= 4 and "layer1.0–1" in body
