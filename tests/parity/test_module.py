"""`nn.Module` beside PyTorch's: the same keys, texts, orders of hooks and reports; its files are
read.
"""

import io

import numpy as np
import pytest
import torch

import chainrule
from chainrule.serialization import load

BOTH = (chainrule, torch)


def network(lib):
    """The same network in either library: every container, a shared layer, all kinds of members."""
    nn = lib.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(
                nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Linear(4, 2))
            )
            self.tied = self.features[0]
            self.rows = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 3)])
            self.named = nn.ModuleDict({"b": nn.Linear(2, 2), "a": nn.BatchNorm1d(3)})
            self.list = nn.ParameterList([lib.zeros(2, 3), 5])
            self.dict = nn.ParameterDict({"z": lib.zeros(2), "a": lib.zeros(3)})
            self.register_buffer("kept", lib.zeros(3))
            self.register_buffer("scratch", lib.zeros(2), persistent=False)
            self.buffer = nn.Buffer(lib.ones(2), persistent=False)
            self.register_parameter("nothing", None)

        def forward(self, x):
            return self.features(x)

    return Net()


def outcome(function):
    """The type and text of what a call raises, with the library's name taken out."""
    try:
        function()
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        text = str(error).replace("chainrule", "torch").replace("torch.nn.modules.", "")
        return kinds, text
    return None


def test_names_and_texts():
    ours, theirs = map(network, BOTH)
    assert repr(ours).replace("chainrule", "torch") == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert ours.state_dict()._metadata == theirs.state_dict()._metadata
    for walk in ("named_parameters", "named_buffers", "named_modules", "named_children"):
        assert [n for n, _ in getattr(ours, walk)()] == [n for n, _ in getattr(theirs, walk)()]


MISUSE = {
    "parameter dot": lambda n, lib: n.register_parameter("a.b", None),
    "parameter empty": lambda n, lib: n.register_parameter("", None),
    "parameter taken": lambda n, lib: n.register_parameter("kept", None),
    "parameter tensor": lambda n, lib: n.register_parameter("w", 3),
    "parameter name": lambda n, lib: n.register_parameter(3, None),
    "buffer value": lambda n, lib: n.register_buffer("q", 3),
    "buffer dot": lambda n, lib: n.register_buffer("a.b", None),
    "buffer taken": lambda n, lib: n.register_buffer("features", None),
    "buffer empty": lambda n, lib: n.register_buffer("", None),
    "module dot": lambda n, lib: n.add_module("a.b", None),
    "module empty": lambda n, lib: n.add_module("", None),
    "module taken": lambda n, lib: n.add_module("kept", None),
    "module value": lambda n, lib: n.add_module("q", 3),
    "set parameter": lambda n, lib: setattr(n.features[0], "weight", 3),
    "set parameter to tensor": lambda n, lib: setattr(n.features[0], "weight", lib.ones(2)),
    "set buffer": lambda n, lib: setattr(n, "kept", 3),
    "set module": lambda n, lib: setattr(n, "features", 3),
    "no attribute": lambda n, lib: n.nothing_here,
    "submodule": lambda n, lib: n.get_submodule("features.9"),
    "submodule kind": lambda n, lib: n.get_submodule("features.0.weight"),
    "parameter kind": lambda n, lib: n.get_parameter("kept"),
    "buffer kind": lambda n, lib: n.get_buffer("features.0.weight"),
    "set submodule": lambda n, lib: n.set_submodule("features.0", 3),
    "set strict": lambda n, lib: n.set_submodule("features.9", lib.nn.ReLU(), strict=True),
    "index": lambda n, lib: n.features[10],
    "list index": lambda n, lib: n.rows[10],
    "add": lambda n, lib: n.features + 3,
    "times": lambda n, lib: n.features * 0,
    "extend": lambda n, lib: n.rows.extend(3),
    "call a list": lambda n, lib: n.rows(3),
    "call parameters": lambda n, lib: n.list(3),
    "mode": lambda n, lib: n.train(3),
    "no forward": lambda n, lib: lib.nn.Module()(3),
    "arguments": lambda n, lib: lib.nn.Module(3),
    "keywords": lambda n, lib: lib.nn.Module(x=3),
    "dtype": lambda n, lib: n.to(lib.int32),
    "state": lambda n, lib: n.load_state_dict(3),
    "non-leaf": lambda n, lib: n.register_parameter("w", n.list[0].exp()),
}


@pytest.mark.parametrize("act", MISUSE.values(), ids=MISUSE.keys())
def test_misuse_raises_the_same(act):
    ours, theirs = (outcome(lambda lib=lib: act(network(lib), lib)) for lib in BOTH)
    assert theirs is not None and ours is not None
    assert theirs[0][0] in ours[0]
    assert ours[1].startswith(theirs[1])  # ours may go on: what to do instead


def test_load_state_dict_reports_the_same():
    reports = []
    for lib in BOTH:
        net = network(lib)
        state = net.state_dict()
        del state["kept"], state["rows.0.bias"]
        state["x.y"] = lib.ones(1)
        state["rows.9.weight"] = lib.ones(1)
        state["features.0.weight"] = lib.ones(9, 9)
        kinds, text = outcome(lambda net=net, state=state: net.load_state_dict(state))
        assert "RuntimeError" in kinds
        del state["features.0.weight"]
        reports.append((text, str(net.load_state_dict(state, strict=False))))
    assert reports[0] == reports[1]


def test_hooks_run_in_the_same_order_with_the_same_values():
    logs = []
    for lib in BOTH:
        net, log = network(lib), []
        with lib.no_grad():
            for parameter in net.parameters():
                parameter.fill_(0.5)

        def seen(name, log=log):
            def hook(*args):
                log.append((name, len(args)))

            return hook

        layer = net.features
        layer.register_forward_pre_hook(seen("pre 1"))
        layer.register_forward_pre_hook(seen("pre 2"), prepend=True)
        layer.register_forward_pre_hook(seen("pre kwargs"), with_kwargs=True)
        layer.register_forward_hook(seen("post 1"))
        layer.register_forward_hook(seen("post 2"), prepend=True)
        layer.register_forward_hook(seen("post kwargs"), with_kwargs=True)
        layer.register_full_backward_hook(seen("backward 1"))
        layer.register_full_backward_hook(seen("backward 2"), prepend=True)
        layer.register_full_backward_pre_hook(seen("backward pre"))
        layer[0].register_full_backward_hook(
            lambda m, gi, go, log=log: log.append([g.tolist() for g in (*gi, *go)])
        )
        layer[2].register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
        x = lib.ones(2, 3, requires_grad=True)
        net(x).sum().backward()
        log.append(x.grad.tolist())
        with lib.no_grad():
            net(x)
        logs.append(log)
    assert logs[0] == logs[1]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_files_of_torch_save_are_read(protocol):
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.ones(5, 3)).sum().backward()
    optimizer.step()
    value = {
        "net": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 4]).state_dict(),
        "numbers": (1, 2.5, -3, 2**70, "text", None, True, b"bytes"),
        "turned": torch.arange(6).reshape(2, 3).t(),
        "slice": torch.arange(10)[3:7:2],
        "half": torch.ones(2).half(),
        "bfloat16": torch.arange(3).to(torch.bfloat16),
        "bool": torch.tensor([True, False]),
        "scalar": torch.tensor(3.5, dtype=torch.float64),
        "empty": torch.empty(0, 3),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "dtype": torch.float16,
    }
    file = io.BytesIO()
    torch.save(value, file, pickle_protocol=protocol)
    file.seek(0)
    back = load(file)
    assert_same(back, value)
    assert back["net"]._metadata == value["net"]._metadata


def assert_same(ours, theirs):
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, chainrule.nn.Parameter) == isinstance(theirs, torch.nn.Parameter)
        assert str(ours.dtype).partition(".")[2] == str(theirs.dtype).partition(".")[2]
        assert tuple(ours.shape) == tuple(theirs.shape)
        np.testing.assert_array_equal(ours.detach().double().numpy(), theirs.detach().double())
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key in theirs:
            assert_same(ours[key], theirs[key])
    elif isinstance(theirs, (list, tuple)):
        assert type(ours) is type(theirs) and len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert_same(a, b)
    elif isinstance(theirs, torch.dtype):
        assert str(ours).partition(".")[2] == str(theirs).partition(".")[2]
    else:
        assert ours == theirs


def test_weights_of_torch_are_loaded_into_the_same_network():
    theirs, ours = network(torch), network(chainrule)
    file = io.BytesIO()
    torch.save(theirs.state_dict(), file)
    file.seek(0)
    assert str(ours.load_state_dict(load(file))) == "<All keys matched successfully>"
    x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    expected = theirs(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(ours(chainrule.tensor(x)).detach().numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("old_format", [False, True])
def test_whole_modules_are_refused(old_format):
    file = io.BytesIO()
    torch.save(torch.nn.Linear(2, 2), file, _use_new_zipfile_serialization=not old_format)
    file.seek(0)
    with pytest.raises(RuntimeError, match=r"save it again|state_dict"):
        load(file)


def test_packed_sequences_are_the_same():
    x = np.random.default_rng(0).normal(size=(6, 4, 2)).astype(np.float32)
    for lengths, in_order in (([6, 3, 3, 1], True), ([3, 6, 1, 3], False)):
        results = []
        for lib in BOTH:
            rnn = lib.nn.utils.rnn
            packed = rnn.pack_padded_sequence(lib.tensor(x), lengths, enforce_sorted=in_order)
            padded = rnn.pad_packed_sequence(packed, batch_first=True, total_length=7)
            single = rnn.unpack_sequence(packed)
            left = rnn.pad_sequence(single, padding_side="left")
            flat = [*packed, *padded, *single, left]
            results.append([None if t is None else t.tolist() for t in flat])
        assert results[0] == results[1]
