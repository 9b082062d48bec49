"""Containers behave like the Python containers that they are named after, and register what they
hold.
"""

from collections import OrderedDict

import pytest

import chainrule as torch
from chainrule import nn


def row(count):
    return [nn.Linear(2, 2) for _ in range(count)]


# ---- Sequential ------------------------------------------------------------------------------


def test_sequential_composes_its_layers():
    a, b = nn.Linear(2, 3), nn.Linear(3, 1)
    x = torch.ones(4, 2)
    assert torch.equal(nn.Sequential(a, b)(x), b(a(x)))
    x = torch.ones(2)
    assert nn.Sequential()(x) is x


def test_sequential_with_names():
    net = nn.Sequential(OrderedDict(first=nn.Linear(2, 3), act=nn.ReLU()))
    assert net.first is net[0] and net[-1] is net.act
    assert list(net.state_dict()) == ["first.weight", "first.bias"]
    assert list(net[:1]._modules) == ["first"]


def test_sequential_edits_keep_the_numbers_in_order():
    a, b, c, d = row(4)
    net = nn.Sequential(a, b)
    assert list(net.append(c)) == [a, b, c]
    assert list(net.insert(1, d)) == [a, d, b, c]
    assert net.pop(0) is a and list(net) == [d, b, c]
    del net[-1]
    net[0] = a
    assert list(net) == [a, b] and list(net._modules) == ["0", "1"]
    assert list(net.extend([c, d])) == [a, b, c, d]
    assert list(net[1:3]) == [b, c] and isinstance(net[1:3], nn.Sequential)
    del net[:2]
    assert list(net) == [c, d] and list(net._modules) == ["0", "1"]


def test_sequential_adds_and_multiplies():
    a, b, c = row(3)
    net = nn.Sequential(a)
    assert list(net + nn.Sequential(b, c)) == [a, b, c]
    assert list(nn.Sequential(a, b) * 2) == [a, b, a, b] == list(2 * nn.Sequential(a, b))
    net += nn.Sequential(b)
    net *= 2
    assert list(net) == [a, b, a, b]
    with pytest.raises(ValueError, match="add operator supports only objects of Sequential"):
        net + 3
    with pytest.raises(ValueError, match="Non-positive"):
        net * 0
    with pytest.raises(TypeError, match="unsupported operand"):
        net * "2"


@pytest.mark.parametrize("kind", [lambda m: nn.Sequential(*m), nn.ModuleList])
def test_an_index_out_of_range_is_an_index_error(kind):
    for index in (2, -3):
        with pytest.raises(IndexError, match="is out of range"):
            kind(row(2))[index]


# ---- ModuleList, ModuleDict ------------------------------------------------------------------


def test_module_list_is_a_list_that_registers():
    a, b, c, d = row(4)
    layers = nn.ModuleList([a, b])
    layers.append(c)
    layers.insert(0, d)
    assert list(layers) == [d, a, b, c] and len(layers) == 4
    assert layers[-1] is c and list(layers[1:3]) == [a, b]
    assert layers.pop(0) is d
    layers += [d]
    layers[0] = c
    assert list(layers) == [c, b, c, d]
    assert list(layers + nn.ModuleList([a])) == [c, b, c, d, a]
    del layers[1:3]
    assert list(layers.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    with pytest.raises(TypeError, match="should be called with an iterable"):
        layers.extend(3)
    with pytest.raises(NotImplementedError, match="ModuleList"):
        layers(torch.ones(2))


def test_module_list_prints_equal_neighbours_once():
    text = repr(nn.ModuleList([*row(2), nn.ReLU()]))
    assert text == (
        "ModuleList(\n"
        "  (0-1): 2 x Linear(in_features=2, out_features=2, bias=True)\n"
        "  (2): ReLU()\n"
        ")"
    )
    assert repr(nn.ModuleList()) == "ModuleList()"


def test_module_dict_is_a_dict_that_registers():
    a, b, c = row(3)
    layers = nn.ModuleDict({"a": a})
    layers["b"] = b
    layers.update([("c", c)])
    assert list(layers) == ["a", "b", "c"] == list(layers.keys())
    assert "b" in layers and list(layers.values()) == [a, b, c]
    assert layers.pop("a") is a and dict(layers.items()) == {"b": b, "c": c}
    del layers["b"]
    assert list(layers.state_dict()) == ["c.weight", "c.bias"]
    layers.clear()
    assert len(layers) == 0
    with pytest.raises(KeyError):
        layers["none"]
    with pytest.raises(ValueError, match="has length 1; 2 is required"):
        layers.update([("c",)])


# ---- ParameterList, ParameterDict ------------------------------------------------------------


def test_parameter_list_turns_tensors_into_parameters():
    values = nn.ParameterList([torch.zeros(2, 3), 5])
    values.append(torch.ones(1))
    values += [nn.Parameter(torch.ones(2))]
    assert [name for name, _ in values.named_parameters()] == ["0", "2", "3"]
    assert values[1] == 5 and len(values) == 4 and len(values[1:]) == 3
    values[-1] = torch.zeros(3)
    assert values[3].shape == (3,) and isinstance(values[3], nn.Parameter)
    with pytest.raises(IndexError):
        values[4]
    with pytest.raises(TypeError):
        values.extend(torch.ones(2))
    with pytest.raises(RuntimeError, match="should not be called"):
        values(1)


def test_parameter_dict_turns_tensors_into_parameters():
    values = nn.ParameterDict({"b": torch.zeros(2), "a": torch.zeros(3)})
    assert list(values) == ["a", "b"]  # a plain dict is taken in sorted order
    values["c"] = 7
    assert list(values.state_dict()) == ["a", "b"] and values["c"] == 7
    assert values.get("d") is None and values.setdefault("d", 1) == 1
    assert values.popitem() == ("d", 1) and values.pop("c") == 7
    joined = values | nn.ParameterDict({"e": torch.ones(1)})
    assert list(joined) == ["a", "b", "e"] and joined["a"] is values["a"]
    assert "a" in values and list(reversed(values)) == ["b", "a"]
    assert list(values.fromkeys(["x"], 1).items()) == [("x", 1)]
    values.clear()
    assert len(values) == 0 and list(values.parameters()) == []
    with pytest.raises(TypeError, match="not a string"):
        values[3] = 1


def test_parameters_print_one_per_line():
    text = repr(nn.ParameterList([torch.zeros(2, 3), 5]))
    assert text.endswith("float32 of size 2x3]\n    (1): Object of type: int\n)")
