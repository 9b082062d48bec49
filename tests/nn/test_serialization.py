"""Checkpoints: what goes in comes out, a crash leaves no half, and no file runs code.

Files of `torch.save` are built here by hand, so that these tests need no PyTorch; `tests/parity`
reads real ones.
"""

import io
import os
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import chainrule as torch
from chainrule import nn
from chainrule.errors import DataError
from chainrule.serialization import load, save

DTYPES = [
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
    torch.float16, torch.bfloat16, torch.float32, torch.float64,
]  # fmt: skip


def round_trip(value):
    file = io.BytesIO()
    save(value, file)
    file.seek(0)
    return load(file)


# ---- our own files ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_tensors_of_every_dtype_and_shape(dtype, shape):
    tensor = torch.ones(shape, dtype=dtype)
    back = round_trip(tensor)
    assert back.dtype is dtype and back.shape == shape and torch.equal(back, tensor)


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -5, 2**70, 0.1, float("inf"), "text é", b"\x00\xff", 3 + 4j,
        [], {}, (), [1, [2, (3, "4")]], {1: {"a": (1,)}, "b": None}, {"$tensor": "no"},
        {(1, 2): 3}, {1, 2}, torch.float16,
        {"epoch": 3, "history": {"loss": [0.5, 0.25]}},
    ],
    ids=repr,
)  # fmt: skip
def test_values_come_back_equal_and_of_the_same_type(value):
    back = round_trip(value)
    assert back == value and type(back) is type(value)


def test_not_a_number_and_numpy_values():
    assert np.isnan(round_trip(float("nan")))
    back = round_trip({"a": np.arange(3), "b": np.int32(4), "c": np.float64(0.5)})
    assert back["a"].tolist() == [0, 1, 2] and back["b"] == 4 and back["c"] == 0.5


def test_parameters_stay_parameters_and_shared_tensors_stay_shared():
    weight = nn.Parameter(torch.ones(2), requires_grad=False)
    back = round_trip([weight, weight, torch.ones(2, requires_grad=True)])
    assert isinstance(back[0], nn.Parameter) and not back[0].requires_grad
    assert back[0] is back[1] and back[2].requires_grad


def test_a_training_goes_on_from_a_checkpoint(tmp_path):
    def parts():
        net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        return net, torch.optim.Adam(net.parameters(), lr=0.1)

    def step(net, optimizer):
        optimizer.zero_grad()
        net(torch.arange(15.0).reshape(5, 3)).square().sum().backward()
        optimizer.step()

    net, optimizer = parts()
    step(net, optimizer)
    path = tmp_path / "checkpoint.pt"
    save({"net": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 1}, path)
    step(net, optimizer)

    other, other_optimizer = parts()
    state = load(path)
    assert isinstance(state["net"], OrderedDict) and state["net"]._metadata["1"]["version"] == 2
    other.load_state_dict(state["net"])
    other_optimizer.load_state_dict(state["optimizer"])
    step(other, other_optimizer)
    for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_saved_state_dict_is_a_plain_safetensors_file(tmp_path):
    net = nn.Linear(2, 3)
    save(net.state_dict(), tmp_path / "net.safetensors")
    arrays = load_file(tmp_path / "net.safetensors")
    assert {name: array.shape for name, array in arrays.items()} == {"weight": (3, 2), "bias": (3,)}
    save_file({"x": np.arange(3.0)}, tmp_path / "plain.safetensors")
    assert load(tmp_path / "plain.safetensors")["x"].tolist() == [0.0, 1.0, 2.0]


def test_loaded_tensors_can_be_changed_and_mapped_files_stay_as_they_are(tmp_path):
    path = tmp_path / "x"
    save([torch.zeros(3)], path)
    for mapped in (False, True):
        tensor = load(path, mmap=mapped)[0]
        tensor.add_(1.0)
        assert tensor.tolist() == [1.0, 1.0, 1.0]
        assert load(path)[0].tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="needs a path"):
        load(io.BytesIO(path.read_bytes()), mmap=True)


def test_a_failed_save_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "x"
    save([1], path)
    with pytest.raises((AttributeError, pickle.PicklingError)):
        save([lambda: 1], path)

    def broken(*names):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        save([2], path)
    assert load(path) == [1] and os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (lambda: nn.Linear(1, 1), r"save\(model.state_dict\(\), f\)"),
        (lambda: {"net": nn.Linear(1, 1)}, r"value\['net'\]: a whole module \(Linear\)"),
        (lambda: torch.optim.SGD([torch.ones(1)], lr=1.0), "Save its state_dict"),
        (lambda: [print], r"the value\[0\]"),
    ],
)
def test_objects_are_refused_with_the_way_out(value, text, tmp_path):
    """A safetensors file holds values; PyTorch's kind of file refers to classes."""
    with pytest.raises(TypeError, match=text):
        save(value(), tmp_path / "x.safetensors")


def test_a_value_that_holds_itself():
    value = [1]
    value.append(value)
    back = round_trip(value)
    assert back[0] == 1 and back[1] is back


def test_damaged_files_are_clear_errors(tmp_path):
    path = tmp_path / "x"
    save({"w": torch.ones(100)}, path)
    content = path.read_bytes()
    for broken in (content[:-1], content[:40], b"", b"nothing of the kind"):
        path.write_bytes(broken)
        with pytest.raises(DataError):
            load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none")


# ---- views and whole models ------------------------------------------------------------------


def test_views_of_one_storage_stay_views_of_one_storage():
    x = torch.arange(6.0).reshape(2, 3)
    file = io.BytesIO()
    save({"x": x, "row": x[1], "turned": x.t(), "again": x}, file)
    assert zipfile.ZipFile(file).read("archive/data/0") == x.numpy().tobytes()
    assert "archive/data/1" not in zipfile.ZipFile(file).namelist()
    file.seek(0)
    back = load(file)
    assert back["again"] is back["x"] and back["turned"].tolist() == x.t().tolist()
    back["row"].fill_(9.0)
    assert back["x"].tolist() == [[0.0, 1.0, 2.0], [9.0, 9.0, 9.0]]
    assert back["turned"][0].tolist() == [0.0, 9.0] and back["turned"].stride() == (1, 3)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh())
        self.head = nn.Linear(4, 2)
        self.head.weight.note = "kept"

    def forward(self, x):
        return self.head(self.body(x))


def test_a_whole_model_is_read_only_on_request(tmp_path):
    net, path = Net(), tmp_path / "net.pt"
    x = torch.randn(5, 3)
    net(x)
    net.eval()
    save(net, path)
    with pytest.raises(DataError, match="weights_only=False"):
        load(path)
    back = load(path, weights_only=False)
    assert type(back) is Net and not back.training and torch.equal(back(x), net(x))
    assert back.head.weight.note == "kept" and isinstance(back.head.weight, nn.Parameter)
    optimizer = torch.optim.Adam(back.parameters())
    back(x).sum().backward()
    optimizer.step()


def test_an_optimiser_and_its_model_in_one_file():
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    file = io.BytesIO()
    save([net, optimizer], file)
    file.seek(0)
    other, its = load(file, weights_only=False)
    assert its.param_groups[0]["params"][0] is next(other.parameters())


def test_classes_can_be_allowed():
    from chainrule.serialization import safe_globals

    file = io.BytesIO()
    save({"c": Config(3)}, file)
    file.seek(0)
    with pytest.raises(DataError, match="Config"):
        load(file)
    file.seek(0)
    with safe_globals([Config]):
        assert load(file)["c"].size == 3


class Config:
    def __init__(self, size):
        self.size = size


def test_numbers_begin_at_multiples_of_64(tmp_path):
    path = tmp_path / "x.pt"
    save({"a": torch.arange(3.0), "b": torch.arange(5)}, path)
    with zipfile.ZipFile(path) as archive:
        for key, array in (("0", np.arange(3.0, dtype="f4")), ("1", np.arange(5))):
            info = archive.getinfo(f"x/data/{key}")
            assert info.compress_type == zipfile.ZIP_STORED
            assert path.read_bytes().find(array.tobytes()) % 64 == 0
    back = load(path, mmap=True)
    back["a"][0] = 5.0
    assert load(path)["a"].tolist() == [0.0, 1.0, 2.0]


# ---- files of torch.save ---------------------------------------------------------------------


class Call:
    """Pickles as a call of a named function."""

    def __init__(self, name, *args):
        self.name, self.args = name, args


class Storage:
    def __init__(self, kind, key, count):
        self.kind, self.key, self.count = kind, key, count


def torch_pickle(value):
    """The bytes that torch.save would write for `value`, opcode by opcode (protocol 2)."""

    def name(path):
        module, _, attribute = path.rpartition(".")
        return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"

    def write(x):
        if isinstance(x, Call):
            return name(x.name) + write(tuple(x.args)) + b"R"
        if isinstance(x, Storage):
            parts = write("storage") + name(x.kind) + write(x.key) + write("cpu") + write(x.count)
            return b"(" + parts + b"tQ"
        if isinstance(x, tuple):
            return b"(" + b"".join(map(write, x)) + b"t"
        if isinstance(x, dict):
            return b"}(" + b"".join(write(k) + write(v) for k, v in x.items()) + b"u"
        return pickle.dumps(x, 2)[2:-1]

    return b"\x80\x02" + write(value) + b"."


def torch_file(value, **storages):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", torch_pickle(value))
        archive.writestr("archive/byteorder", "little")
        for key, array in storages.items():
            archive.writestr(f"archive/data/{key}", array.tobytes())
    file.seek(0)
    return file


def tensor_call(kind, key, count, offset, size, stride):
    storage = Storage(f"torch.{kind}", key, count)
    return Call(
        "torch._utils._rebuild_tensor_v2", storage, offset, size, stride, False, OrderedDict()
    )


def test_tensors_of_a_torch_file_are_views_into_storages():
    numbers = np.arange(6, dtype=np.float32)
    turned = tensor_call("FloatStorage", "k", 6, 1, (2, 2), (1, 3))
    back = load(torch_file({"w": turned, "epoch": 3}, k=numbers))
    assert back["epoch"] == 3 and back["w"].tolist() == [[1.0, 4.0], [2.0, 5.0]]


def test_half_precision_of_a_torch_file():
    bits = np.array([0x3F80, 0x4000, 0xBF00], np.uint16)
    back = load(torch_file(tensor_call("BFloat16Storage", "k", 3, 0, (3,), (1,)), k=bits))
    assert back.dtype is torch.bfloat16 and back.float().tolist() == [1.0, 2.0, -0.5]


def test_a_tensor_beyond_its_storage_is_an_error():
    numbers = np.arange(6, dtype=np.float32)
    for size, stride, offset in (((7,), (1,), 0), ((2,), (-1,), 3), ((1,), (1,), 6)):
        file = torch_file(tensor_call("FloatStorage", "k", 6, offset, size, stride), k=numbers)
        with pytest.raises(DataError, match="beyond its storage"):
            load(file)


@pytest.mark.parametrize("flag", [True, False])
def test_code_in_a_torch_file_is_refused_and_never_run(flag, tmp_path):
    victim = tmp_path / "made"
    file = torch_file(Call("os.system", f"touch {victim}"))
    with pytest.raises(DataError, match=r"`os\.system`"):
        load(file, weights_only=flag)
    assert not victim.exists()
    with pytest.raises(DataError, match=r"`__main__\.Net`"):
        load(torch_file(Call("__main__.Net")))


def test_a_plain_pickle_is_refused():
    with pytest.raises(DataError, match="neither a safetensors file nor"):
        load(io.BytesIO(pickle.dumps({"a": 1})))


def test_map_location_of_other_programs_is_accepted():
    file = io.BytesIO()
    save({"w": torch.ones(1)}, file)
    for where in (None, "cpu", torch.device("cpu"), {"cuda:0": "cpu"}, lambda storage, at: storage):
        file.seek(0)
        assert load(file, map_location=where)["w"].item() == 1.0
