"""Graphs behind tensors: put together across looks, printed in several forms."""

from __future__ import annotations

import xml.etree.ElementTree

import numpy as np
import pytest

import chainrule as torch
from chainrule import config, explain
from chainrule.explain.recorded import recorded
from chainrule.ir import parse
from chainrule.ir.interpret import interpret


def value(t):
    """A tensor's value from the graph that explain sees."""
    found = recorded([t])
    bound = {n: leaf.detach().numpy() for n, leaf in found.leaves.items() if leaf is not None}
    return interpret(found.nodes, bound)[0]


def test_a_look_in_the_middle_does_not_cut_the_graph():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    v = torch.tensor([3.0, 4.0], requires_grad=True)
    a = w * 2
    assert a.tolist() == [2.0, 4.0]  # a look: the first trace is closed, numbering restarts
    b = v + a
    assert b.sum().item() == 13.0
    c = torch.exp(b) * w
    assert explain.formula(c, names={"w": w, "v": v}).tex == r"y = e^{v + 2 w} \odot w"
    np.testing.assert_allclose(value(c), c.detach().numpy(), rtol=1e-6)


def test_views_of_data_are_shown_as_views():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    y = x.t() + 1
    assert explain.formula(y, names={"x": x}).tex == "y = x^{T} + 1"
    np.testing.assert_allclose(value(y), y.numpy())


def test_an_overwritten_tensor_shows_its_present_value():
    x = torch.tensor([1.0, 2.0])
    y = x * 2
    y[0] = 7
    y.add_(1)
    np.testing.assert_allclose(value(y), [8.0, 5.0])


def test_text_can_be_parsed():
    x = torch.tensor([1.0, 2.0])
    d = explain.graph(torch.softmax(x, 0) + 1, names={"x": x})
    g = parse(d.text)
    assert [o.op.name for o in g.outputs] == ["add"]
    assert str(d).endswith("where %0 = x")
    assert "softmax" not in str(explain.graph(torch.softmax(x, 0), expand=True))


def test_pictures():
    x, w = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0], requires_grad=True)
    d = explain.graph((x * w).sum() / 2, names={"x": x, "w": w})
    assert d.mermaid() == "\n".join(
        [
            "flowchart TD",
            '  n0(["x<br/>f32[2]"])',
            '  n1(["w<br/>f32[2]"])',
            '  n2["mul<br/>f32[2]"]',
            '  n3["sum<br/>f32[]"]',
            '  n4["div 2<br/>f32[]"]',
            "  n0 --> n2",
            "  n1 --> n2",
            "  n2 --> n3",
            "  n3 --> n4",
        ]
    )
    assert 'n4 [label="div 2\\nf32[]"];' in d.dot()
    svg = xml.etree.ElementTree.fromstring(d.svg())
    texts = [t.text for t in svg.iter() if t.tag.endswith("text")]
    assert texts.count("f32[2]") == 3 and "div 2" in texts


def test_stages_are_those_of_the_compiler():
    x = torch.tensor([1.0, 2.0])
    text = explain.stages(torch.sigmoid(x))
    assert text.startswith("── recorded") and "── simplify" in text and "sigmoid" in text
    assert "sigmoid" not in text.split("── fold")[1]


def test_stages_of_a_training_step_go_down_to_loops_and_assembly():
    model = torch.nn.Linear(20, 30)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(x):
        model(x).square().sum().backward()
        optimizer.step()

    text = explain.stages(step, torch.ones(64, 20))
    if config.backend == "llvm":
        assert "── fuse" in text and "kernel contract" in text
        assert "ret" in explain.stages(model, torch.ones(64, 20), assembly=True)


def test_arguments_are_for_functions():
    with pytest.raises(TypeError, match="cannot be called"):
        explain.stages(torch.ones(2), torch.ones(2))
