"""Pruned weights are zero, stay zero while the others learn, and can be made permanent."""

import pytest

import chainrule as torch
from chainrule import nn
from chainrule.nn.utils import prune


def test_the_least_go_and_stay_gone() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(6, 4)
    before = layer.weight.detach().clone()
    prune.l1_unstructured(layer, "weight", amount=10)
    mask = layer.weight_mask.bool()
    assert int((~mask).sum()) == 10 and before[~mask].abs().max() <= before[mask].abs().min()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(2):
        layer(torch.ones(3, 6)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    layer(torch.ones(1, 6))
    assert bool((layer.weight[~mask] == 0).all()) and not torch.equal(
        layer.weight[mask], before[mask]
    )
    prune.l1_unstructured(layer, "weight", amount=0.5)
    assert int((layer.weight == 0).sum()) == 17 and prune.is_pruned(layer)
    weight = layer.weight.detach().clone()
    prune.remove(layer, "weight")
    assert isinstance(layer.weight, nn.Parameter) and torch.equal(layer.weight, weight)
    assert sorted(layer.state_dict()) == ["bias", "weight"] and not prune.is_pruned(layer)


def test_slices_and_masks() -> None:
    layer = prune.ln_structured(nn.Conv2d(3, 4, 3), "weight", amount=2, n=2, dim=0)
    zero = (layer.weight == 0).reshape(4, -1).all(1)
    assert int(zero.sum()) == 2
    layer = prune.random_structured(nn.Linear(6, 4), "weight", amount=0.5, dim=1)
    assert int((layer.weight == 0).all(0).sum()) == 3
    layer = prune.custom_from_mask(nn.Linear(2, 1), "weight", torch.tensor([[0, 1]]))
    assert layer.weight[0, 0] == 0 and layer.weight[0, 1] != 0


def test_over_several_layers() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    pairs = [(net[0], "weight"), (net[1], "weight")]
    prune.global_unstructured(pairs, pruning_method=prune.L1Unstructured, amount=0.25)
    assert sum(int((m.weight == 0).sum()) for m in net) == 6


def test_errors() -> None:
    with pytest.raises(ValueError, match="smaller"):
        prune.l1_unstructured(nn.Linear(2, 2), "weight", 10)
    with pytest.raises(ValueError, match="between"):
        prune.random_unstructured(nn.Linear(2, 2), "weight", 1.5)
    with pytest.raises(ValueError, match="has to be pruned"):
        prune.remove(nn.Linear(2, 2), "weight")
