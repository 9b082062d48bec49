"""Schedules against PyTorch: the same rates and momenta, epoch by epoch, for 30 epochs."""

from __future__ import annotations

import pytest

from chainrule import optim
from chainrule.optim import lr_scheduler
from chainrule.tensor.creation import tensor

torch = pytest.importorskip("torch")
theirs = torch.optim.lr_scheduler

EPOCHS = 30

CASES = {
    "LambdaLR": lambda s, o: s.LambdaLR(o, [lambda e: 0.9**e, lambda e: 1 / (e + 1)]),
    "LambdaLR one": lambda s, o: s.LambdaLR(o, lambda e: 0.9**e),
    "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda e: 1 - 1 / (e + 2)),
    "StepLR": lambda s, o: s.StepLR(o, 4, gamma=0.5),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [3, 3, 10], gamma=0.3),
    "ConstantLR": lambda s, o: s.ConstantLR(o, factor=0.25, total_iters=7),
    "LinearLR": lambda s, o: s.LinearLR(o, start_factor=0.2, end_factor=0.8, total_iters=9),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, gamma=0.9),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, total_iters=12, power=2.0),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, T_max=8, eta_min=0.01),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(
        o, T_0=4, T_mult=2, eta_min=0.001
    ),
    "CosineAnnealingWarmRestarts plain": lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=5),
    "CyclicLR": lambda s, o: s.CyclicLR(o, 0.01, [0.1, 0.3], step_size_up=4, step_size_down=3),
    "CyclicLR triangular2": lambda s, o: s.CyclicLR(
        o, 0.01, 0.1, step_size_up=4, mode="triangular2", base_momentum=0.5
    ),
    "CyclicLR exp_range": lambda s, o: s.CyclicLR(
        o, 0.01, 0.1, step_size_up=4, mode="exp_range", gamma=0.95, cycle_momentum=False
    ),
    "CyclicLR own": lambda s, o: s.CyclicLR(
        o, 0.01, 0.1, step_size_up=4, scale_fn=lambda x: 1 / (x + 1), scale_mode="iterations"
    ),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, max_lr=[0.5, 0.2], total_steps=EPOCHS + 1),
    "OneCycleLR linear": lambda s, o: s.OneCycleLR(
        o, 0.5, epochs=4, steps_per_epoch=8, anneal_strategy="linear", three_phase=True
    ),
    "SequentialLR": lambda s, o: s.SequentialLR(
        o,
        [s.LinearLR(o, 0.1, total_iters=4), s.CosineAnnealingLR(o, 20), s.ExponentialLR(o, 0.9)],
        [5, 15],
    ),
    "ChainedScheduler": lambda s, o: s.ChainedScheduler(
        [s.ConstantLR(o, 0.1, total_iters=3), s.ExponentialLR(o, 0.9)]
    ),
}
OPTIMIZERS = {
    "SGD": lambda o, w: o.SGD(w, lr=0.2, momentum=0.9),
    "Adam": lambda o, w: o.Adam(w, lr=0.2),
}


def both(kind, lr=None):
    made = []
    for module, make in ((torch.optim, torch.tensor), (optim, tensor)):
        w = [make([1.0, 2.0], requires_grad=True) for _ in range(2)]
        groups = [{"params": [w[0]]}, {"params": [w[1]], "lr": lr or 0.7}]
        made.append(OPTIMIZERS[kind](module, groups))
    return made


def seen(optimizer, schedule):
    """What a step can see: rates, momenta."""
    groups = optimizer.param_groups
    momenta = [g["betas"][0] if "betas" in g else g["momentum"] for g in groups]
    return [float(x) for x in [*(g["lr"] for g in groups), *momenta, *schedule.get_last_lr()]]


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("name", CASES)
def test_thirty_epochs_have_the_rates_of_pytorch(name, kind):
    (their_opt, our_opt) = both(kind)
    their, our = CASES[name](theirs, their_opt), CASES[name](lr_scheduler, our_opt)
    for _ in range(EPOCHS):
        expected = seen(their_opt, their)
        assert seen(our_opt, our) == pytest.approx(expected, rel=1e-13, abs=1e-16)
        for opt, schedule in ((their_opt, their), (our_opt, our)):
            opt.step()
            schedule.step()
    assert our.last_epoch == their.last_epoch if hasattr(their, "last_epoch") else True


@pytest.mark.parametrize("name", CASES)
def test_their_state_dict_goes_on_here(name):
    their_opt, our_opt = both("SGD")
    their, our = CASES[name](theirs, their_opt), CASES[name](lr_scheduler, our_opt)
    for _ in range(7):
        their_opt.step()
        their.step()
    our.load_state_dict(their.state_dict())
    for ours_group, group in zip(our_opt.param_groups, their_opt.param_groups, strict=True):
        ours_group.update({k: v for k, v in group.items() if k != "params"})
    for _ in range(7):
        for opt, schedule in ((their_opt, their), (our_opt, our)):
            opt.step()
            schedule.step()
        assert seen(our_opt, our) == pytest.approx(seen(their_opt, their), rel=1e-13)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_plateau(mode, threshold_mode):
    metrics = [5, 4, 4, 3.9999, 4.5, 4.2, 4.2, 4.1, 5, 6, 6, 6, 6, 1, 1, 1, 1]
    options = {
        "mode": mode,
        "threshold_mode": threshold_mode,
        "patience": 1,
        "cooldown": 1,
        "factor": 0.5,
        "min_lr": [0.02, 0.1],
    }
    their_opt, our_opt = both("SGD")
    their = theirs.ReduceLROnPlateau(their_opt, **options)
    our = lr_scheduler.ReduceLROnPlateau(our_opt, **options)
    for metric in metrics:
        their.step(metric)
        our.step(metric)
        assert seen(our_opt, our) == seen(their_opt, their)
        assert our.num_bad_epochs == their.num_bad_epochs
        assert our.best == their.best


@pytest.mark.parametrize("name", ["StepLR", "CosineAnnealingLR", "LinearLR", "PolynomialLR"])
def test_a_jump_to_an_epoch_uses_the_closed_form(name):
    their_opt, our_opt = both("SGD")
    their, our = CASES[name](theirs, their_opt), CASES[name](lr_scheduler, our_opt)
    for epoch in (9, 2, 14):
        for opt, schedule in ((their_opt, their), (our_opt, our)):
            opt.step()
            with pytest.warns(UserWarning, match="epoch parameter"):
                schedule.step(epoch)
        assert seen(our_opt, our) == pytest.approx(seen(their_opt, their), rel=1e-13)


def test_warm_restarts_between_epochs():
    their_opt, our_opt = both("SGD")
    their = theirs.CosineAnnealingWarmRestarts(their_opt, 4, 2)
    our = lr_scheduler.CosineAnnealingWarmRestarts(our_opt, 4, 2)
    for epoch in (0.5, 3.75, 4, 9.5, 11.99, 12, 20.5, 1):
        their.step(epoch)
        our.step(epoch)
        assert seen(our_opt, our) == pytest.approx(seen(their_opt, their), rel=1e-13)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("epochs", [0, 1, 5])
def test_swalr(strategy, epochs):
    their_opt, our_opt = both("SGD")
    their = torch.optim.swa_utils.SWALR(their_opt, 0.05, epochs, strategy)
    our = optim.swa_utils.SWALR(our_opt, 0.05, epochs, strategy)
    for _ in range(9):
        for opt, schedule in ((their_opt, their), (our_opt, our)):
            opt.step()
            schedule.step()
        assert seen(our_opt, our) == pytest.approx(seen(their_opt, their), rel=1e-12)


BAD = [
    lambda s, o: s.LambdaLR(o, [lambda e: 1.0]),
    lambda s, o: s.MultiplicativeLR(o, 0.5),
    lambda s, o: s.ConstantLR(o, factor=2.0),
    lambda s, o: s.LinearLR(o, start_factor=0.0),
    lambda s, o: s.LinearLR(o, end_factor=2.0),
    lambda s, o: s.CosineAnnealingWarmRestarts(o, 0),
    lambda s, o: s.CosineAnnealingWarmRestarts(o, 4, 0),
    lambda s, o: s.CosineAnnealingWarmRestarts(o, 4, 1, "a"),
    lambda s, o: s.CyclicLR(o, 0.1, 0.2, mode="square"),
    lambda s, o: s.CyclicLR(o, [0.1], 0.2),
    lambda s, o: s.OneCycleLR(o, 0.1),
    lambda s, o: s.OneCycleLR(o, 0.1, total_steps=-1),
    lambda s, o: s.OneCycleLR(o, 0.1, epochs=0, steps_per_epoch=3),
    lambda s, o: s.OneCycleLR(o, 0.1, total_steps=5, pct_start=2.0),
    lambda s, o: s.OneCycleLR(o, 0.1, total_steps=5, anneal_strategy="no"),
    lambda s, o: s.ReduceLROnPlateau(o, factor=1.0),
    lambda s, o: s.ReduceLROnPlateau(o, mode="up"),
    lambda s, o: s.ReduceLROnPlateau(o, threshold_mode="up"),
    lambda s, o: s.ReduceLROnPlateau(o, min_lr=[0.1]),
    lambda s, o: s.StepLR(3, 1),
    lambda s, o: s.StepLR(o, 1, last_epoch=3),
    lambda s, o: s.SequentialLR(o, [], []),
    lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1)], [3]),
    lambda s, o: s.ChainedScheduler([]),
    lambda s, o: s.ChainedScheduler([s.ReduceLROnPlateau(o)]),
]


@pytest.mark.parametrize("index", range(len(BAD)))
def test_bad_arguments_raise_what_pytorch_raises(index):
    their_opt, our_opt = both("SGD")
    with pytest.raises((ValueError, TypeError, KeyError)) as expected:
        BAD[index](theirs, their_opt)
    with pytest.raises(expected.type) as got:
        BAD[index](lr_scheduler, our_opt)
    assert str(got.value)[:40] == str(expected.value)[:40]
