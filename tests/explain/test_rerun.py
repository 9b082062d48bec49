"""A program that the guard has stopped is run again from its files, with the same finding."""

import math

import numpy as np
import pytest

import chainrule as torch
from chainrule import config, explain, nn
from chainrule.errors import NonFiniteError


@pytest.fixture
def stopped(monkeypatch, tmp_path):
    monkeypatch.setattr(config, "nan_folder", str(tmp_path))
    torch.manual_seed(3)
    net = nn.Sequential(
        nn.Linear(4, 6), nn.Dropout(0.5), nn.BatchNorm1d(6), nn.LSTM(6, 5), nn.Identity()
    )

    def step():
        y, _ = net(torch.randn(7, 4))
        loss = (y / torch.zeros(5)).mean()
        loss.backward()
        return loss.item()

    with torch.nan_guard(), pytest.raises(NonFiniteError) as caught:
        step()
    return net, caught.value


def test_the_same_is_found_again(stopped):
    _, error = stopped
    again = explain.replay(error.folder)
    assert again.finding == error.finding and again.finding.op == "div"
    text = str(again)
    assert "div made infinity out of finite numbers" in text and "→ div" in text
    assert "y / torch.zeros(5)" in text


def test_what_the_program_read_is_there(stopped):
    net, error = stopped
    again = explain.replay(error.folder)
    inputs = again.inputs
    np.testing.assert_array_equal(inputs["parameter 0.weight"], net[0].weight.detach().numpy())
    assert any(a.dtype == np.int64 and a.shape == (2,) for a in inputs.values())  # random states
    assert not all(np.isfinite(v).all() for v in again.outputs())


def test_every_operation_is_told_with_its_range(stopped):
    again = explain.replay(stopped[1].folder)
    ops = [ran.op for ran in again.steps]
    assert "scan" in ops
    div = again.steps[again.finding.at]
    assert div.op == "div" and div.output.infinities == 35 and math.isnan(div.output.low)


def test_a_folder_with_nothing_in_it_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        explain.replay(tmp_path)
