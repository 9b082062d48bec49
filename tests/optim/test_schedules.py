"""Schedules: the rates they promise, and that they go on from what they saved."""

from __future__ import annotations

import json
import math
import warnings
from itertools import pairwise

import pytest

from chainrule import optim
from chainrule.optim import lr_scheduler as schedules
from chainrule.tensor.creation import tensor

BASE = 0.8


def sgd(**options):
    return optim.SGD([tensor([1.0], requires_grad=True)], lr=BASE, momentum=0.9, **options)


def rates(optimizer, schedule, epochs):
    seen = []
    for _ in range(epochs):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


FORMULAS = {
    "StepLR": (lambda o: schedules.StepLR(o, 3, 0.5), lambda e: 0.5 ** (e // 3)),
    "MultiStepLR": (
        lambda o: schedules.MultiStepLR(o, [2, 5], 0.1),
        lambda e: 0.1 ** ((e >= 2) + (e >= 5)),
    ),
    "ConstantLR": (
        lambda o: schedules.ConstantLR(o, 0.5, total_iters=4),
        lambda e: 0.5 if e < 4 else 1.0,
    ),
    "LinearLR": (
        lambda o: schedules.LinearLR(o, 0.25, 1.0, total_iters=6),
        lambda e: 0.25 + 0.75 * min(e, 6) / 6,
    ),
    "ExponentialLR": (lambda o: schedules.ExponentialLR(o, 0.9), lambda e: 0.9**e),
    "PolynomialLR": (
        lambda o: schedules.PolynomialLR(o, total_iters=8, power=2.0),
        lambda e: (1 - min(e, 8) / 8) ** 2,
    ),
    "CosineAnnealingLR": (
        lambda o: schedules.CosineAnnealingLR(o, T_max=5),
        lambda e: (1 + math.cos(math.pi * e / 5)) / 2,
    ),
    "CosineAnnealingWarmRestarts": (
        lambda o: schedules.CosineAnnealingWarmRestarts(o, T_0=4),
        lambda e: (1 + math.cos(math.pi * (e % 4) / 4)) / 2,
    ),
    "LambdaLR": (lambda o: schedules.LambdaLR(o, lambda e: 1 / (1 + e)), lambda e: 1 / (1 + e)),
    "MultiplicativeLR": (lambda o: schedules.MultiplicativeLR(o, lambda e: 0.7), lambda e: 0.7**e),
    "CyclicLR": (
        lambda o: schedules.CyclicLR(o, 0.0, BASE, step_size_up=3),
        lambda e: 1 - abs(e % 6 - 3) / 3,
    ),
    "SequentialLR": (
        lambda o: schedules.SequentialLR(
            o, [schedules.ConstantLR(o, 0.1, 9), schedules.ExponentialLR(o, 0.5)], [3]
        ),
        lambda e: 0.1 if e < 3 else 0.5 ** (e - 3),
    ),
    "ChainedScheduler": (
        lambda o: schedules.ChainedScheduler(
            [schedules.ConstantLR(o, 0.1, 3), schedules.ExponentialLR(o, 0.5)]
        ),
        lambda e: (0.1 if e < 3 else 1.0) * 0.5**e,
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_rates_follow_the_formula(name):
    make, factor = FORMULAS[name]
    optimizer = sgd()
    seen = rates(optimizer, make(optimizer), 12)
    assert seen == pytest.approx([BASE * factor(e) for e in range(12)], abs=1e-14)


@pytest.mark.parametrize("name", FORMULAS)
def test_a_schedule_goes_on_from_its_state_dict(name):
    make, _ = FORMULAS[name]
    optimizer = sgd()
    straight = make(optimizer)
    rates(optimizer, straight, 5)
    saved = {"optimizer": optimizer.state_dict(), "schedule": straight.state_dict()}
    expected = rates(optimizer, straight, 6)

    resumed = sgd()
    schedule = make(resumed)
    resumed.load_state_dict(saved["optimizer"])
    schedule.load_state_dict(saved["schedule"])
    resumed.step()
    assert rates(resumed, schedule, 6) == expected


def test_state_is_plain_data():
    for name, (make, _) in FORMULAS.items():
        if name != "MultiStepLR":  # its milestones are a Counter with whole numbers as keys
            json.dumps(make(sgd()).state_dict())


def test_one_cycle_ends_where_it_promises_and_momentum_runs_against_it():
    optimizer = sgd()
    schedule = schedules.OneCycleLR(optimizer, max_lr=1.0, total_steps=21, pct_start=0.5)
    seen = []
    for _ in range(21):
        group = optimizer.param_groups[0]
        seen.append((group["lr"], group["momentum"]))
        optimizer.step()
        schedule.step()
    lrs, momenta = zip(*seen, strict=True)
    assert lrs[0] == pytest.approx(1 / 25)
    assert max(lrs) <= 1.0
    assert lrs[-1] == pytest.approx(1 / 25 / 1e4)
    assert momenta[0] == momenta[-1] == 0.95
    assert all((a - b) * (m - n) <= 0 for (a, m), (b, n) in pairwise(seen))
    with pytest.raises(ValueError, match="Tried to step 22 times"):
        schedule.step()


def test_a_cycle_moves_the_first_beta_of_adam():
    optimizer = optim.Adam([tensor([1.0], requires_grad=True)], lr=0.1)
    schedule = schedules.CyclicLR(optimizer, 0.01, 0.1, step_size_up=2)
    assert optimizer.param_groups[0]["betas"] == (0.9, 0.999)
    rates(optimizer, schedule, 2)
    assert optimizer.param_groups[0]["betas"] == pytest.approx((0.8, 0.999))
    with pytest.raises(ValueError, match="momentum or beta1"):
        schedules.CyclicLR(optim.Rprop([tensor([1.0], requires_grad=True)]), 0.1, 1.0)


def test_a_plateau_is_waited_out_and_then_acted_upon():
    optimizer = sgd()
    schedule = schedules.ReduceLROnPlateau(optimizer, factor=0.5, patience=2, cooldown=1)
    seen = []
    for loss in (3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0):
        schedule.step(tensor(loss))
        seen.append(optimizer.param_groups[0]["lr"] / BASE)
    assert seen == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_groups_added_later_have_a_least_rate_too():
    optimizer = sgd()
    schedule = schedules.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, min_lr=0.3)
    optimizer.add_param_group({"params": [tensor([1.0], requires_grad=True)], "lr": 0.4})
    for _ in range(4):
        schedule.step(1.0)
    assert [g["lr"] for g in optimizer.param_groups] == [0.3, 0.3]


def test_a_rate_that_is_a_tensor_stays_that_tensor():
    optimizer = optim.SGD([tensor([1.0], requires_grad=True)], lr=tensor(0.5))
    rate = optimizer.param_groups[0]["lr"]
    schedule = schedules.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    schedule.step()
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == 0.25
    assert schedule.get_last_lr()[0] is not rate


def test_the_order_of_steps_is_watched():
    optimizer = sgd()
    schedule = schedules.StepLR(optimizer, 1)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        schedule.step()

    optimizer = sgd()
    schedule = schedules.StepLR(optimizer, 1)
    optimizer.step = lambda: None
    with pytest.warns(UserWarning, match="has been overridden"):
        schedule.step()

    optimizer = sgd()
    schedule = schedules.StepLR(optimizer, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rates(optimizer, schedule, 3)


def test_rates_are_read_by_get_last_lr():
    schedule = schedules.StepLR(sgd(), 1)
    with pytest.warns(UserWarning, match="get_last_lr"):
        schedule.get_lr()
    assert schedule.get_last_lr() == [BASE]


def test_resuming_needs_the_first_rates():
    with pytest.raises(KeyError, match="initial_lr"):
        schedules.StepLR(sgd(), 1, last_epoch=4)
    optimizer = sgd()
    optimizer.param_groups[0]["initial_lr"] = 1.0
    schedule = schedules.LambdaLR(optimizer, lambda e: 0.5**e, last_epoch=1)
    assert schedule.get_last_lr() == [0.25]


def test_what_is_no_optimizer_is_refused():
    for make in (
        lambda o: schedules.StepLR(o, 1),
        lambda o: schedules.ReduceLROnPlateau(o),
        lambda o: schedules.OneCycleLR(o, 1.0, total_steps=3),
        lambda o: schedules.CyclicLR(o, 0.1, 1.0),
    ):
        with pytest.raises(TypeError, match="not an Optimizer"):
            make("sgd")


def test_composites_take_schedules_of_one_optimizer():
    one, other = sgd(), sgd()
    mine, plateau = schedules.StepLR(one, 1), schedules.ReduceLROnPlateau(one)
    with pytest.raises(ValueError, match="same optimizer"):
        schedules.SequentialLR(other, [mine], [])
    with pytest.raises(ValueError, match="ReduceLROnPlateau"):
        schedules.ChainedScheduler([mine, plateau])
    with pytest.raises(ValueError, match="milestone"):
        schedules.SequentialLR(one, [mine], [1])
