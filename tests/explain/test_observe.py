"""What was seen of a model says which layer, which line, and which node."""

import numpy as np
import pytest

import chainrule as torch
from chainrule import keras, nn
from chainrule.explain.observe import layers_of, observe, parameters_of
from chainrule.ir.graph import topological
from chainrule.tensor import witness


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 4), nn.Tanh())

    def forward(self, x):  # type: ignore[no-untyped-def]
        return x + self.inner(x)  # the line of the sum


def test_calls_have_paths_and_stand_in_order() -> None:
    seen = observe(Residual(), torch.zeros(2, 4))
    assert [c.path for c in seen.calls] == ["", "inner", "inner.0", "inner.1"]
    assert [c.depth for c in seen.calls] == [0, 1, 2, 2]
    assert [tuple(t.shape) for t in seen.calls[2].inputs] == [(2, 4)]


def test_keras_layers_have_the_paths_of_their_names() -> None:
    x = keras.Input((4,))
    h = keras.layers.Dense(4, name="first")(x)
    model = keras.Model(x, keras.layers.Add(name="both")([h, x]))
    seen = observe(model, torch.zeros(2, 4))
    assert [c.path for c in seen.calls] == ["", "first", "both"]
    assert set(seen.names.values()) == {"first/kernel", "first/bias"}


def test_every_node_has_its_layer_and_line() -> None:
    seen = observe(Residual(), torch.zeros(2, 4), lines=True)
    (out,) = seen.nodes_of([seen.result])
    call, line = seen.origin(out)
    assert call is seen.root and line is not None
    assert line.text.endswith("# the line of the sum")
    inner = {n.op.name: seen.origin(n).call.path for n in topological([out]) if n.inputs}
    assert inner == {"linear": "inner.0", "tanh": "inner.1", "add": ""}


def test_parameters_are_named_in_the_graph() -> None:
    model = Residual()
    seen = observe(lambda x: model(x).sum(), torch.zeros(2, 4), model=model)
    assert set(seen.names.values()) == {"inner.0.weight", "inner.0.bias"}
    nodes = seen.nodes_of([p for _, p in parameters_of(model)])
    assert [seen.names[n] for n in nodes] == ["inner.0.weight", "inner.0.bias"]


def test_a_model_that_looks_is_seen_through_its_traces() -> None:
    model = nn.Linear(3, 3)

    def twice(x):  # type: ignore[no-untyped-def]
        h = model(x)
        assert h.sum().item() == h.sum().item()
        return model(h)

    seen = observe(twice, torch.ones(1, 3), model=model)
    first, second = seen.nodes_of([c.outputs[0] for c in seen.calls])
    assert first in topological([second])


def test_nothing_is_watched_afterwards() -> None:
    with pytest.raises(RuntimeError):
        observe(nn.Linear(3, 3), torch.zeros(2, 4))
    assert not witness.present
    assert type(witness.state.trace.values) is list


def test_parameters_of_keras_leave_statistics_out() -> None:
    model = keras.Sequential([keras.layers.Dense(2), keras.layers.BatchNormalization()])
    model(np.zeros((2, 3), "float32"))
    assert [n.split("/")[-1] for n, _ in parameters_of(model)] == [
        "kernel", "bias", "gamma", "beta",
    ]  # fmt: skip
    assert len(parameters_of(model, buffers=True)) == 6
    model.layers[0].trainable = False
    assert len(parameters_of(model, trainable=True)) == 2
    assert [type(layer).__name__ for _, layer in layers_of(model)][1:] == [
        "InputLayer", "Dense", "BatchNormalization",
    ]  # fmt: skip
