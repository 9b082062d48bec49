"""What every optimiser promises: groups, state that can be saved, hooks, closures."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from chainrule import optim
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor.creation import tensor

ALL = [name for name in optim.__all__ if name[0].isupper() and name not in ("LBFGS", "Optimizer")]
RICH = {
    "SGD": {"momentum": 0.9},
    "RMSprop": {"momentum": 0.9, "centered": True},
    "Adam": {"amsgrad": True, "weight_decay": 0.1},
}


def make(name, params, **options):
    return getattr(optim, name)(params, **(RICH.get(name, {}) | options))


def weight(seed=0):
    # single precision: PyTorch (and so we) cast numbers of the state to the parameter on loading
    value = np.random.default_rng(seed).standard_normal((3, 4)).astype("float32")
    return tensor(value, requires_grad=True)


def descend(optimizer, w, steps, seed=7):
    """Steps on a quadratic whose target moves from step to step."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        target = tensor(rng.standard_normal(w.shape).astype("float32"))
        optimizer.zero_grad()
        ((w - target) ** 2).sum().backward()
        optimizer.step()


@pytest.mark.parametrize("name", ALL)
def test_training_goes_on_from_a_state_dict_as_if_never_stopped(name):
    straight, first = weight(), weight()
    optimizer = make(name, [straight], lr=0.1)
    descend(optimizer, straight, 3)
    descend(optimizer, straight, 4, seed=8)

    before = make(name, [first], lr=0.1)
    descend(before, first, 3)
    second = tensor(first.detach().numpy().copy(), requires_grad=True)
    after = make(name, [second], lr=0.9)
    after.load_state_dict(before.state_dict())
    descend(after, second, 4, seed=8)
    np.testing.assert_array_equal(second.detach().numpy(), straight.detach().numpy())


@pytest.mark.parametrize("name", ALL)
def test_a_copy_and_a_pickle_go_on_alike(name):
    w = weight()
    optimizer = make(name, [w], lr=0.1)
    descend(optimizer, w, 2)
    for copied in (
        copy.deepcopy(optimizer),
        pickle.loads(pickle.dumps(optimizer)),
    ):
        (v,) = copied.param_groups[0]["params"]
        assert v is not w
        descend(copied, v, 2, seed=3)
        other = tensor(w.detach().numpy().copy(), requires_grad=True)
        loaded = make(name, [other], lr=0.1)
        loaded.load_state_dict(optimizer.state_dict())
        descend(loaded, other, 2, seed=3)
        np.testing.assert_array_equal(v.detach().numpy(), other.detach().numpy())


@pytest.mark.parametrize("name", [n for n in ALL if n != "Muon"])
def test_to_maximize_is_to_minimize_the_negative(name):
    up, down = weight(), weight()
    climbing = make(name, [up], lr=0.05, maximize=True)
    falling = make(name, [down], lr=0.05)
    for _ in range(3):
        for optimizer, w, sign in ((climbing, up, -1), (falling, down, 1)):
            optimizer.zero_grad()
            (sign * ((w - 1) ** 2).sum()).backward()
            optimizer.step()
    np.testing.assert_allclose(up.detach().numpy(), down.detach().numpy(), rtol=1e-6)


def test_loading_copies_the_state():
    w, v = weight(), weight()
    first, second = make("SGD", [w], lr=0.1), make("SGD", [v], lr=0.1)
    descend(first, w, 2)
    second.load_state_dict(first.state_dict())
    buffer = first.state[w]["momentum_buffer"].numpy().copy()
    descend(second, v, 2)
    np.testing.assert_array_equal(first.state[w]["momentum_buffer"].numpy(), buffer)


def test_state_dict_names_parameters_by_their_place():
    a, b, c = weight(), weight(), weight()
    optimizer = optim.Adam([{"params": [a, b]}, {"params": c, "lr": 0.5}])
    for p in (a, c):
        p.grad = tensor(np.ones(p.shape, "float32"))
    optimizer.step()
    saved = optimizer.state_dict()
    assert [g["params"] for g in saved["param_groups"]] == [[0, 1], [2]]
    assert saved["param_groups"][1]["lr"] == 0.5
    assert set(saved["state"]) == {0, 2}
    assert set(saved["state"][0]) == {"step", "exp_avg", "exp_avg_sq"}
    assert saved["state"][2]["step"].item() == 1.0


def test_loading_casts_to_the_parameter_but_for_the_step():
    w = weight()
    optimizer = optim.Adam([w])
    descend(optimizer, w, 1)
    v = tensor(w.detach().numpy().astype("float64"), requires_grad=True)
    loaded = optim.Adam([v])
    loaded.load_state_dict(optimizer.state_dict())
    assert loaded.state[v]["exp_avg"].dtype == v.dtype
    assert loaded.state[v]["step"].dtype == optimizer.state[w]["step"].dtype


def test_old_checkpoints_have_plain_numbers_and_fewer_options():
    w = weight()
    optimizer = optim.AdamW([w])
    descend(optimizer, w, 1)
    saved = optimizer.state_dict()
    saved["state"][0]["step"] = 5
    for name in ("maximize", "amsgrad", "foreach", "decoupled_weight_decay"):
        del saved["param_groups"][0][name]
    optimizer.load_state_dict(saved)
    assert isinstance(optimizer.state[w]["step"], Tensor)
    assert optimizer.param_groups[0]["maximize"] is False
    assert optimizer.param_groups[0]["decoupled_weight_decay"] is True
    descend(optimizer, w, 1)
    assert optimizer.state[w]["step"].item() == 6.0


def test_groups_of_another_size_are_refused():
    optimizer = optim.SGD([weight(), weight()])
    for wrong in (optim.SGD([weight()]), optim.SGD([{"params": [weight()]}, {"params": weight()}])):
        with pytest.raises(ValueError, match="parameter group"):
            optimizer.load_state_dict(wrong.state_dict())


def test_names_of_parameters_are_kept():
    w = weight()
    optimizer = optim.SGD([("layer.weight", w)], lr=0.1)
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["layer.weight"]
    with pytest.raises(ValueError, match="without names"):
        optimizer.add_param_group({"params": [weight()]})


def test_zero_grad():
    w = weight()
    optimizer = optim.SGD([w])
    (w * w).sum().backward()
    optimizer.zero_grad(set_to_none=False)
    assert not w.grad.numpy().any()
    optimizer.zero_grad()
    assert w.grad is None


def test_closure_runs_with_gradients_and_its_loss_is_returned():
    w = tensor([3.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with no_grad():
        assert optimizer.step(closure).item() == 9.0
    assert w.item() == pytest.approx(2.4)


def test_parameters_are_changed_in_place():
    w = tensor([1.0, 2.0], requires_grad=True)
    view = w.detach()
    (w * w).sum().backward()
    optim.SGD([w], lr=0.5).step()
    assert w.is_leaf and w.requires_grad
    assert view.tolist() == [0.0, 0.0]


def test_hooks_surround_the_step():
    w = weight()
    optimizer = make("Adam", [w])
    seen = []
    handles = [
        optim.register_optimizer_step_pre_hook(lambda o, a, k: seen.append("every pre")),
        optimizer.register_step_pre_hook(lambda o, a, k: seen.append("pre")),
        optimizer.register_step_post_hook(lambda o, a, k: seen.append("post")),
        optim.register_optimizer_step_post_hook(lambda o, a, k: seen.append("every post")),
    ]
    descend(optimizer, w, 1)
    assert seen == ["every pre", "pre", "post", "every post"]
    for handle in handles:
        handle.remove()
    descend(optimizer, w, 1)
    assert len(seen) == 4


def test_a_pre_hook_may_change_the_arguments():
    w = weight()
    optimizer = optim.SGD([w])
    handle = optimizer.register_step_pre_hook(lambda o, a, k: ((lambda: 5.0,), {}))
    assert optimizer.step() == 5.0
    handle.remove()
    optimizer.register_step_pre_hook(lambda o, a, k: 3)
    with pytest.raises(RuntimeError, match="tuple of"):
        optimizer.step()


def test_hooks_see_and_change_state_dicts():
    w = weight()
    optimizer = make("SGD", [w])
    optimizer.register_state_dict_post_hook(lambda o, s: s | {"extra": 1})
    seen = []
    optimizer.register_state_dict_pre_hook(lambda o: seen.append("second"))
    optimizer.register_state_dict_pre_hook(lambda o: seen.append("first"), prepend=True)
    optimizer.register_load_state_dict_pre_hook(lambda o, s: seen.append(s["extra"]))
    optimizer.register_load_state_dict_post_hook(lambda o: seen.append("loaded"))
    optimizer.load_state_dict(optimizer.state_dict())
    assert seen == ["first", "second", 1, "loaded"]


def test_an_optimiser_of_the_user_needs_only_a_step():
    class SignDescent(optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        @no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        p.add_(p.grad.sign(), alpha=-group["lr"])

    w = tensor([1.0, -1.0], requires_grad=True)
    optimizer = SignDescent([w], lr=0.25)
    calls = []
    optimizer.register_step_post_hook(lambda *_: calls.append(1))
    (w * w).sum().backward()
    optimizer.step()
    assert w.tolist() == [0.75, -0.75]
    assert calls == [1]


def test_differentiable_steps_say_that_they_are_not_available():
    with pytest.raises(NotImplementedError, match="differentiable"):
        optim.Adam([weight()], differentiable=True)


def test_what_cannot_be_optimised_is_refused():
    w = weight()
    with pytest.raises(TypeError, match="iterable of Tensors or dicts"):
        optim.SGD(w)
    with pytest.raises(TypeError, match="only optimize Tensors"):
        optim.SGD([3.0])
    with pytest.raises(TypeError, match="ordered collections"):
        optim.SGD([{"params": {w}}])
    with pytest.raises(ValueError, match="empty parameter list"):
        optim.SGD([])
    with pytest.raises(ValueError, match="non-leaf"):
        optim.SGD([w * 2])
    with pytest.raises(ValueError, match="more than one parameter group"):
        optim.SGD([{"params": [w]}, {"params": [w]}])
    with pytest.warns(UserWarning, match="duplicate"):
        optim.SGD([w, w])
