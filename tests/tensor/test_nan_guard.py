"""The guard names what made NaN or infinity, and nothing else stops a program."""

import json
import math
import os

import numpy as np
import pytest

import chainrule as torch
from chainrule import config, nn
from chainrule.errors import NonFiniteError
from chainrule.runtime import programs
from chainrule.tensor import finite


@pytest.fixture(autouse=True)
def guard(monkeypatch, tmp_path):
    monkeypatch.setattr(config, "nan_folder", str(tmp_path))
    with torch.nan_guard():
        yield


def found(f):
    with pytest.raises(FloatingPointError) as caught:
        f()
    return caught.value.finding, str(caught.value)


class Head(nn.Module):
    def forward(self, x):
        p = torch.softmax(x * 300, -1)
        return torch.log(p)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(4, 5), Head()

    def forward(self, x):
        return self.head(self.body(x))


def test_the_operation_the_layer_the_lines_the_ranges_and_a_remedy_are_named():
    torch.manual_seed(0)
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    before = net.body.weight.tolist()

    def step():
        loss = net(torch.randn(8, 4)).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    finding, text = found(step)
    assert (finding.what, finding.op) == ("infinity", "log")
    assert finding.place.layer == "Net.head" and not finding.place.gradient
    assert finding.place.lines[0].endswith(", in forward: return torch.log(p)")
    assert "loss = net(torch.randn(8, 4)).mean()" in text
    assert finding.inputs[0].low == 0 and finding.inputs[0].high == 1
    assert finding.output.infinities and "log_softmax" in finding.remedy
    assert "log made infinity out of finite numbers, in layer Net.head" in text
    assert net.body.weight.tolist() == before


def test_what_a_gradient_makes_is_named_by_the_operation_that_it_is_the_gradient_of():
    layer = nn.Linear(3, 1, bias=False)

    def step():
        y = layer(torch.zeros(4, 3)).pow(2).sum(1).sqrt()
        y.sum().backward()
        return layer.weight.grad.tolist()

    finding, text = found(step)
    assert finding.place.gradient and finding.place.op == "sqrt"
    assert finding.reached == "the gradient of parameter weight"
    assert "in the gradient of sqrt" in text and "y = layer(" in text
    assert "infinite at 0: sqrt(x + 1e-8)" in finding.remedy


def test_a_gradient_is_found_behind_a_look():
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    y = torch.where(x > 0, torch.log(x), 0.0).sum()
    assert y.item() == 0  # −∞ was not chosen
    y.backward()
    finding, text = found(lambda: x.grad.tolist())
    assert finding.op == "div" and str(finding.place) == "the gradient of log"
    assert "y = torch.where(x > 0, torch.log(x), 0.0).sum()" in text
    assert "make the argument safe" in finding.remedy


def test_infinity_that_becomes_nan_is_named_where_it_began():
    x = torch.tensor([100.0, 1.0], requires_grad=True)
    finding, text = found(lambda: (x.exp() / x.exp().sum()).sum().item())
    assert finding.op == "exp" and finding.what == "infinity" and finding.next[0] == "div"
    assert "div then made NaN of it" in text and "softmax, logsumexp" in finding.remedy


def test_data_that_had_it_already_are_named_with_the_row():
    layer, x = nn.Linear(3, 1), np.ones((32, 3), np.float32)
    x[17, 1] = math.nan
    finding, text = found(lambda: layer(torch.tensor(x)).mean().item())
    assert not finding.op and finding.output.first == (17, 1)
    assert "the data had NaN already" in text and "row 17 is the first" in finding.remedy


def test_a_parameter_that_had_it_already_is_named():
    layer = nn.Linear(3, 1)
    with torch.nan_guard(False), torch.no_grad():
        layer.weight[0, 0] = math.nan
        layer.weight.tolist()
    finding, _ = found(lambda: nn.Sequential(layer)(torch.ones(2, 3)).mean().item())
    assert finding.output.name == "parameter 0.weight"


def test_a_learning_rate_that_is_too_high_is_said():
    net = nn.Sequential(nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 1))
    optimizer = torch.optim.SGD(net.parameters(), 1e4)
    x = torch.randn(32, 10)

    def train():
        for _ in range(50):
            optimizer.zero_grad()
            loss = net(x).pow(2).mean()
            loss.backward()
            optimizer.step()
            loss.item()

    finding, _ = found(train)
    assert "a lower learning rate" in finding.remedy
    assert all(p.isfinite().all() for p in net.parameters())


def test_a_mask_of_infinities_passes_and_one_that_forbids_everything_does_not():
    q = torch.randn(2, 4, 8, requires_grad=True)
    mask = torch.triu(torch.full((4, 4), -math.inf), 1)
    out = (q @ q.mT + mask).softmax(-1) @ q
    out.sum().backward()
    assert math.isfinite(out.sum().item()) and math.isfinite(q.grad.sum().item())
    assert mask[0].tolist() == [0, -math.inf, -math.inf, -math.inf]
    finding, _ = found(lambda: (q @ q.mT + torch.full((4, 4), -math.inf)).softmax(-1).sum().item())
    assert finding.place.op == "softmax" and "a row whose mask forbids everything" in finding.remedy


def test_intermediate_infinities_pass():
    p = torch.tensor([0.0, 0.5, 0.5])
    logs = torch.log(p)
    entropy = -torch.where(p > 0, p * logs, 0.0).sum()
    assert entropy.item() == pytest.approx(math.log(2))
    best = torch.tensor(math.inf)
    assert min(best, entropy).item() == pytest.approx(math.log(2))
    assert torch.nanmean(torch.tensor([math.nan, 2.0])).item() == 2
    assert torch.tensor([1.0, math.nan]).isnan().tolist() == [False, True]
    assert math.isnan(torch.tensor([math.nan]).tolist()[0])
    found(lambda: logs.tolist() if logs.storage.trace is not None else torch.log(p).tolist())


def test_programs_stay_compiled_and_a_loop_builds_nothing_new(monkeypatch):
    monkeypatch.setattr(config, "patience", 0)
    net = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(net.parameters())
    x = torch.randn(16, 8)

    def step():
        optimizer.zero_grad()
        loss = net(x).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    for _ in range(8):
        step()
    count = programs.count()
    assert step() > step()
    assert programs.count() == count


def test_notes_are_found_again_after_many_steps():
    """In a loop no notes are taken any more; the layer is known all the same."""
    net = Net()
    x = torch.zeros(8, 4)
    with torch.no_grad():
        net.body.weight.zero_()
        net.body.bias.zero_()
    for _ in range(20):
        assert math.isfinite(net(x).mean().item())
    with torch.no_grad():
        net.body.bias[0] = 9.0
    finding, _ = found(lambda: net(x).mean().item())
    assert finding.place.layer == "Net.head"


def test_the_batch_is_saved_whole_or_not_at_all(tmp_path, monkeypatch):
    def stopped():
        with pytest.raises(NonFiniteError) as caught:
            torch.log(torch.tensor([0.0, 1.0])).tolist()
        return caught.value

    error = stopped()
    assert sorted(os.listdir(error.folder)) == ["batch.safetensors", "finding.json"]
    with open(os.path.join(error.folder, "finding.json")) as file:
        assert json.load(file)["finding"]["op"] == "log"
    assert os.listdir(tmp_path) == [os.path.basename(error.folder)]
    taken = tmp_path / "taken"
    taken.write_text("")
    monkeypatch.setattr(config, "nan_folder", str(taken))
    error = stopped()
    assert error.folder is None and "could not be saved" in str(error)
    monkeypatch.setattr(config, "nan_folder", "")
    error = stopped()
    assert error.folder is None and error.finding.op == "log"


def test_switched_off_nothing_is_looked_at():
    with torch.nan_guard(False):
        assert torch.log(torch.tensor([0.0])).tolist() == [-math.inf]
    found(lambda: torch.log(torch.tensor([0.0])).tolist())


def test_two_models_that_are_alike_are_told_apart():
    class Other(Net):
        pass

    torch.manual_seed(0)
    x = torch.randn(8, 4)
    assert found(lambda: Net()(x).mean().item())[0].place.layer == "Net.head"
    assert found(lambda: Other()(x).mean().item())[0].place.layer == "Other.head"


def test_in_a_loop_over_time_the_step_is_named():
    layer = nn.RNN(2, 3, nonlinearity="relu")
    with torch.no_grad():
        for p in layer.parameters():
            p.fill_(1e10)
    finding, text = found(lambda: layer(torch.ones(9, 1, 2))[0].sum().item())
    assert finding.step == "in step 4 of the loop" and finding.place.layer == "RNN"
    assert f"{finding.op} made infinity out of finite numbers, in step 4 of the loop" in text


def test_a_search_that_fails_does_not_hide_the_fault(monkeypatch):
    def broken(*args, **kwargs):
        raise KeyError("ours")

    x = torch.tensor([0.0, 1.0])
    monkeypatch.setattr(finite, "find", broken)
    with pytest.raises(NonFiniteError, match="the search for the reason failed: KeyError"):
        torch.log(x).tolist()
