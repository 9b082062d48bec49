"""What `nn.Module` promises: members, state, modes, conversion, hooks, and errors that name the
layer.
"""

import copy
import pickle

import pytest

import chainrule as torch
from chainrule import nn
from chainrule.nn.modules.module import Module


class Scale(nn.Module):
    """y = factor · x, with a counter that is saved and a scratch buffer that is not."""

    def __init__(self, factor=2.0):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))
        self.register_buffer("calls", torch.zeros(1, dtype=torch.int64))
        self.register_buffer("scratch", torch.zeros(2), persistent=False)

    def forward(self, x):
        return self.factor * x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), Scale())
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.body(x))


# ---- members ---------------------------------------------------------------------------------


def test_members_are_found_in_the_order_of_assignment():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == [
        "body.0.weight", "body.0.bias", "body.2.factor", "head.weight", "head.bias",
    ]  # fmt: skip
    assert [name for name, _ in net.named_buffers()] == ["body.2.calls", "body.2.scratch"]
    assert [name for name, _ in net.named_children()] == ["body", "head"]
    names = [name for name, _ in net.named_modules(prefix="net")]
    assert names == ["net", "net.body", "net.body.0", "net.body.1", "net.body.2", "net.head"]
    assert list(net.parameters(recurse=False)) == []


def test_shared_members_are_listed_once_but_saved_under_both_names():
    net = Net()
    net.tied = net.head
    net.alias = net.head.weight
    assert len(list(net.parameters())) == 5
    assert "tied" not in dict(net.named_modules())
    assert "tied" in dict(net.named_modules(remove_duplicate=False))
    assert {"tied.weight", "head.weight", "alias"} <= set(net.state_dict())


def test_assignment_registers_and_replaces():
    net = Net()
    net.extra = nn.Parameter(torch.ones(1))
    net.extra = None
    assert net.extra is None and "extra" not in net.state_dict()
    net.plain = torch.ones(1)
    assert "plain" not in dict(net.named_buffers())
    net.plain = nn.Parameter(torch.ones(1))
    assert "plain" in dict(net.named_parameters())
    net.buffer = nn.Buffer(torch.ones(1), persistent=False)
    assert "buffer" in dict(net.named_buffers()) and "buffer" not in net.state_dict()
    del net.buffer, net.head
    assert not hasattr(net, "buffer") and not hasattr(net, "head")


@pytest.mark.parametrize(
    ("act", "error", "text"),
    [
        (lambda m: m.register_parameter("a.b", None), KeyError, 'can\'t contain "."'),
        (lambda m: m.register_buffer("", None), KeyError, "can't be empty"),
        (lambda m: m.register_buffer("factor", None), KeyError, "'factor' already exists"),
        (lambda m: m.register_parameter("w", torch.ones(1)), TypeError, "Parameter or None req"),
        (lambda m: m.register_parameter("w", m.factor * 1), TypeError, "to parameter 'w'"),
        (lambda m: m.register_buffer("b", 3), TypeError, "cannot assign 'int' object to buffer"),
        (lambda m: m.add_module("x", 3), TypeError, "is not a Module subclass"),
        (lambda m: setattr(m, "factor", 3), TypeError, "cannot assign 'int' as parameter 'factor'"),
        (lambda m: setattr(m, "calls", 3), TypeError, "cannot assign 'int' as buffer 'calls'"),
        (lambda m: m.nothing, AttributeError, "'Scale' object has no attribute 'nothing'"),
        (lambda m: m.get_submodule("a.b"), AttributeError, "Scale has no attribute `a`"),
        (lambda m: m.get_parameter("calls"), AttributeError, "`calls` is not an nn.Parameter"),
        (lambda m: m.get_buffer("factor"), AttributeError, "`factor` is not a buffer"),
        (lambda m: m.train(1), ValueError, "training mode is expected to be boolean"),
        (lambda m: m.to(torch.int32), TypeError, "only accepts floating point"),
        (lambda m: m.load_state_dict([]), TypeError, "Expected state_dict to be dict-like"),
        (lambda m: nn.Module(3), TypeError, "takes 1 positional argument but 2 were given"),
        (lambda m: nn.Module()(3), NotImplementedError, 'missing the required "forward"'),
    ],
)
def test_misuse_says_what_is_wrong(act, error, text):
    with pytest.raises(error) as caught:
        act(Scale())
    assert text in caught.value.args[0]


def test_members_before_init_are_refused():
    class Early(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(torch.ones(1))

    with pytest.raises(AttributeError, match="before Module"):
        Early()


def test_members_by_path():
    net = Net()
    assert net.get_submodule("body.0") is net.body[0]
    assert net.get_parameter("body.2.factor") is net.body[2].factor
    assert net.get_buffer("body.2.calls") is net.body[2].calls
    net.set_submodule("body.1", nn.Tanh())
    assert isinstance(net.body[1], nn.Tanh)
    with pytest.raises(AttributeError):
        net.set_submodule("body.9", nn.Tanh(), strict=True)


def test_dir_lists_members():
    assert {"factor", "calls", "forward"} <= set(dir(Scale()))


# ---- everything at once ----------------------------------------------------------------------


def test_train_eval_and_apply_reach_all_layers():
    net = Net()
    assert not any(layer.training for layer in net.eval().modules())
    assert all(layer.training for layer in net.train().modules())
    seen = []
    net.apply(lambda layer: seen.append(type(layer).__name__))
    assert seen == ["Linear", "ReLU", "Scale", "Sequential", "Linear", "Net"]


def test_gradients_are_frozen_and_forgotten():
    net = Net()
    net(torch.ones(1, 3)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert all(p.grad.abs().sum().item() == 0 for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())


def test_conversion_keeps_the_parameter_objects_and_leaves_integers_alone():
    net = Net()
    net(torch.ones(1, 3)).sum().backward()
    before = list(net.parameters())
    net.to(torch.float64)
    assert all(a is b for a, b in zip(before, net.parameters(), strict=True))
    assert {p.dtype for p in net.parameters()} == {torch.float64}
    assert {p.grad.dtype for p in net.parameters()} == {torch.float64}
    assert net.body[2].calls.dtype is torch.int64
    assert net.half().head.weight.dtype is torch.float16
    assert net.bfloat16().head.weight.dtype is torch.bfloat16
    assert net.to(torch.ones(1)).head.weight.dtype is torch.float32
    assert net.to("cpu", torch.float64).float().cpu().head.weight.dtype is torch.float32
    assert net.to_empty(device="cpu").head.weight.shape == (2, 4)


def test_a_device_that_is_not_there_is_a_clear_error():
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="cuda"):
            Net().cuda()


def test_compile_is_accepted():
    assert Net().compile() is None


def test_copies_are_independent_and_keep_sharing():
    net = Net()
    net.tied = net.head
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert other.tied is other.head and other.head is not net.head
        x = torch.ones(1, 3)
        assert torch.equal(other(x), net(x))
        with torch.no_grad():
            other.head.bias.add_(1.0)  # seen even where every hidden unit is 0
        assert not torch.equal(other(x), net(x))


# ---- state -----------------------------------------------------------------------------------


def test_state_dict_shares_values_and_skips_what_is_not_persistent():
    layer = Scale()
    state = layer.state_dict(prefix="x.")
    assert list(state) == ["x.factor", "x.calls"]
    assert state._metadata == {"x": {"version": 1}}
    assert not state["x.factor"].requires_grad
    with torch.no_grad():
        layer.factor.add_(1.0)
    assert state["x.factor"].item() == 3.0
    assert layer.state_dict(keep_vars=True)["factor"] is layer.factor


def test_load_state_dict_restores_all_values():
    source, target = Net(), Net()
    answer = target.load_state_dict(source.state_dict())
    assert str(answer) == "<All keys matched successfully>"
    x = torch.ones(2, 3)
    assert torch.equal(source(x), target(x))


def test_load_state_dict_reports_everything_at_once():
    net = Net()
    state = net.state_dict()
    del state["head.bias"]
    state["other"] = torch.ones(1)
    state["head.weight"] = torch.ones(9, 9)
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    text = str(caught.value)
    assert text.startswith("Error(s) in loading state_dict for Net:\n\tMissing key(s)")
    assert 'Missing key(s) in state_dict: "head.bias". ' in text
    assert 'Unexpected key(s) in state_dict: "other". ' in text
    assert "size mismatch for head.weight" in text
    with pytest.raises(RuntimeError, match="size mismatch"):
        net.load_state_dict(state, strict=False)
    del state["head.weight"]
    report = net.load_state_dict(state, strict=False)
    assert report.missing_keys == ["head.weight", "head.bias"]
    assert report.unexpected_keys == ["other"]


def test_assign_puts_the_given_tensors_in_place():
    net = Net()
    state = {name: value.double() for name, value in net.state_dict().items()}
    net.load_state_dict(state, assign=True)
    assert net.head.weight.dtype is torch.float64
    assert isinstance(net.head.weight, nn.Parameter) and net.head.weight.requires_grad


def test_extra_state_travels_along():
    class Counting(nn.Module):
        count = 0

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    source, target = Counting(), Counting()
    source.count = 7
    target.load_state_dict(source.state_dict())
    assert target.count == 7
    with pytest.raises(RuntimeError, match="_extra_state"):
        target.load_state_dict({})


def test_state_hooks_run_around_saving_and_loading():
    layer, log = Scale(), []

    def rename(module, state, prefix, *others):
        state[prefix + "factor"] = state.pop(prefix + "old")

    layer.register_state_dict_pre_hook(lambda module, prefix, keep: log.append("pre"))
    layer.register_state_dict_post_hook(lambda module, state, *o: state.update(more=1))
    layer.register_load_state_dict_pre_hook(rename)
    layer.register_load_state_dict_post_hook(lambda module, keys: keys.missing_keys.clear())
    assert "more" in layer.state_dict() and log == ["pre"]
    layer.load_state_dict({"old": torch.tensor(5.0)})
    assert layer.factor.item() == 5.0


# ---- text ------------------------------------------------------------------------------------


def test_repr_nests():
    assert repr(Net()) == (
        "Net(\n"
        "  (body): Sequential(\n"
        "    (0): Linear(in_features=3, out_features=4, bias=True)\n"
        "    (1): ReLU()\n"
        "    (2): Scale()\n"
        "  )\n"
        "  (head): Linear(in_features=4, out_features=2, bias=True)\n"
        ")"
    )


# ---- hooks -----------------------------------------------------------------------------------


def test_forward_hooks_see_and_replace_values_in_order():
    layer, log = Scale(), []
    layer.register_forward_pre_hook(lambda m, args: log.append("pre 1"))
    layer.register_forward_pre_hook(lambda m, args: (args[0] + 1,), prepend=True)
    layer.register_forward_pre_hook(lambda m, args, kwargs: log.append(kwargs), with_kwargs=True)
    layer.register_forward_hook(lambda m, args, out: log.append("post"))
    handle = layer.register_forward_hook(lambda m, args, out: out * 10)
    assert layer(torch.tensor(1.0)).item() == 40.0
    assert log == ["pre 1", {}, "post"]
    handle.remove()
    assert layer(torch.tensor(1.0)).item() == 4.0


def test_always_called_hooks_run_when_forward_raises():
    layer, log = Scale(), []
    layer.register_forward_hook(lambda m, args, out: log.append("ordinary"))
    layer.register_forward_hook(lambda m, args, out: log.append(out), always_call=True)
    with pytest.raises(TypeError):
        layer(torch.ones(1), torch.ones(1))
    assert log == [None]


def test_backward_hooks_see_and_replace_gradients():
    layer, log = Scale(3.0), []
    layer.register_full_backward_pre_hook(lambda m, grad_out: (grad_out[0] * 2,))
    layer.register_full_backward_hook(
        lambda m, grad_in, grad_out: log.append((grad_in[0].item(), grad_out[0].item()))
    )
    layer.register_full_backward_hook(lambda m, grad_in, grad_out: (grad_in[0] + 1,))
    x = torch.tensor(5.0, requires_grad=True)
    layer(x).backward()
    assert log == [(6.0, 2.0)]
    assert x.grad.item() == 7.0
    assert layer.factor.grad.item() == 10.0


def test_hooks_of_all_layers_run_first():
    log = []
    handle = nn.modules.module.register_module_forward_hook(lambda m, a, o: log.append("all"))
    with handle:
        layer = Scale()
        layer.register_forward_hook(lambda m, a, o: log.append("own"))
        layer(torch.ones(1))
    layer(torch.ones(1))
    assert log == ["all", "own", "own"]


# ---- errors name the layer -------------------------------------------------------------------


def note_of(call):
    """What is said of the layer: the first line (the others: test_shape_errors.py)."""
    with pytest.raises(Exception) as caught:
        call()
    notes = getattr(caught.value, "__notes__", [])
    assert len(notes) == 1
    return notes[0].splitlines()[0]


def test_an_error_names_the_innermost_layer_with_its_path():
    assert note_of(lambda: Net()(torch.ones(4, 7))) == (
        "in Net.body.0: Linear(in_features=3, out_features=4, bias=True), given f32[4 (batch), "
        "7 (features)], weight f32[4 (out_features), 3 (in_features)]"
    )


def test_an_error_in_the_root_names_the_root():
    class Broken(nn.Module):
        def __init__(self):
            super().__init__()
            self.unused = nn.ReLU()

        def forward(self, x, flag):
            raise KeyError("own")

    assert note_of(lambda: Broken()(torch.ones(2), flag=True)) == (
        "in Broken, given f32[2], flag=True"
    )


def test_a_layer_that_is_not_registered_is_named_by_its_class():
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(3, 4)]

        def forward(self, x):
            return self.layers[0](x)

    assert note_of(lambda: Hidden()(torch.ones(4, 7))).startswith("in Hidden → Linear: Linear(")


def test_a_broken_repr_does_not_hide_the_error():
    class Mute(Module):
        def forward(self, x):
            raise ZeroDivisionError

        def extra_repr(self):
            raise RuntimeError("no text")

    assert note_of(lambda: Mute()(1)) == "in Mute, given 1"
