"""Files go from PyTorch to chainrule and back."""

import io
from collections import OrderedDict

import numpy as np
import pytest
import torch as pt

import chainrule as cr

NAMES = [
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32",
    "float64", "complex64", "complex128",
]  # fmt: skip


def theirs_to_ours(value, **options):
    file = io.BytesIO()
    pt.save(value, file, **options)
    file.seek(0)
    return cr.load(file)


def ours_to_theirs(value, **options):
    file = io.BytesIO()
    cr.save(value, file)
    file.seek(0)
    return pt.load(file, **options)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("legacy", [False, True])
def test_every_dtype(name: str, legacy: bool) -> None:
    ours = cr.tensor([[0, 1, 2], [3, 4, 5]]).to(getattr(cr, name))
    theirs = pt.tensor([[0, 1, 2], [3, 4, 5]]).to(getattr(pt, name))
    got = ours_to_theirs(ours)
    assert got.dtype is theirs.dtype and pt.equal(got, theirs)
    back = theirs_to_ours(theirs, _use_new_zipfile_serialization=not legacy)
    assert back.dtype is ours.dtype and back.tolist() == ours.tolist()


@pytest.mark.parametrize("legacy", [False, True])
def test_views_share_a_storage_on_both_sides(legacy: bool) -> None:
    x = pt.arange(12.0).reshape(3, 4)
    back = theirs_to_ours(
        {"x": x, "t": x.t(), "row": x[1], "part": x[:, 1:3]},
        _use_new_zipfile_serialization=not legacy,
    )
    back["row"].zero_()
    assert back["x"][1].tolist() == [0.0] * 4 and back["part"][1].tolist() == [0.0, 0.0]
    assert back["t"].stride() == (1, 4)
    y = cr.arange(12.0).reshape(3, 4)
    got = ours_to_theirs({"x": y, "t": y.t(), "row": y[1]})
    got["row"].zero_()
    assert got["x"][1].tolist() == [0.0] * 4 and got["t"].stride() == (1, 4)


def test_a_checkpoint_goes_both_ways() -> None:
    def parts(torch):
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.ReLU())
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        net(torch.ones(5, 3)).sum().backward()
        optimizer.step()
        return net, optimizer

    for torch, other, move in ((pt, cr, theirs_to_ours), (cr, pt, ours_to_theirs)):
        net, optimizer = parts(torch)
        state = {"net": net.state_dict(), "opt": optimizer.state_dict(), "epoch": 3, "best": 0.5}
        back = move(state)
        assert back["epoch"] == 3 and isinstance(back["net"], OrderedDict)
        mine, mine_optimizer = parts(other)
        mine.load_state_dict(back["net"])
        mine_optimizer.load_state_dict(back["opt"])
        x = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
        want = net.eval()(torch.from_numpy(x)).detach().numpy()
        np.testing.assert_allclose(
            mine.eval()(other.from_numpy(x)).detach().numpy(), want, rtol=1e-5, atol=1e-6
        )
        assert back["net"]._metadata["1"]["version"] == 2


def test_parameters_values_and_containers() -> None:
    value = {
        "p": cr.nn.Parameter(cr.ones(2)), "size": cr.Size([2, 3]), "dtype": cr.float16,
        "device": cr.device("cpu"), "list": [1, 2.5, "é", None, True, (1, 2)], "set": {1, 2},
        "bytes": b"\x00\xff", "complex": 1 + 2j, "big": 2**70,
    }  # fmt: skip
    got = ours_to_theirs(value)
    assert isinstance(got["p"], pt.nn.Parameter) and got["p"].requires_grad
    assert got["size"] == pt.Size([2, 3]) and isinstance(got["size"], pt.Size)
    assert got["dtype"] is pt.float16 and got["device"] == pt.device("cpu")
    for key in ("list", "set", "bytes", "complex", "big"):
        assert got[key] == value[key]
    theirs = {"p": pt.nn.Parameter(pt.ones(2)), "size": pt.Size([2, 3]), "dtype": pt.float16}
    back = theirs_to_ours(theirs)
    assert isinstance(back["p"], cr.nn.Parameter) and back["size"] == (2, 3)
    assert back["dtype"] is cr.float16


def test_numpy_arrays_are_values_here() -> None:
    value = {"a": np.arange(6.0).reshape(2, 3), "s": np.float64(0.5), "i": np.int64(3)}
    back = theirs_to_ours(value)
    assert np.array_equal(back["a"], value["a"]) and back["s"] == 0.5 and back["i"] == 3
    got = ours_to_theirs(value, weights_only=False)
    assert np.array_equal(got["a"], value["a"]) and got["s"] == 0.5


def test_paths_and_mapped_files(tmp_path) -> None:
    cr.save({"w": cr.arange(100.0)}, tmp_path / "ours.pt")
    assert pt.load(tmp_path / "ours.pt", mmap=True)["w"].sum() == 4950
    pt.save({"w": pt.arange(100.0), "e": pt.empty(0)}, tmp_path / "theirs.pt")
    back = cr.load(tmp_path / "theirs.pt", mmap=True)
    assert back["w"].sum() == 4950 and back["e"].shape == (0,)


def test_a_whole_model_of_pytorch_is_refused_with_the_way_out(tmp_path) -> None:
    pt.save(pt.nn.Linear(2, 2), tmp_path / "net.pt")
    for flag in (True, False):
        with pytest.raises(cr.errors.DataError, match=r"state_dict\(\)"):
            cr.load(tmp_path / "net.pt", weights_only=flag)
