"""Averages of models along their training, and gradients kept within bounds."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.nn.utils.clip_grad import clip_grad_norm_, clip_grad_value_, get_total_norm
from chainrule.optim import swa_utils
from chainrule.tensor import no_grad
from chainrule.tensor.creation import tensor


def models(*values):
    """One model, at several moments of its training."""
    model = nn.Linear(2, 1)
    for value in values:
        with no_grad():
            for p in model.parameters():
                p.fill_(value)
        yield model


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (1 + 2 + 6) / 3),
        ({"multi_avg_fn": swa_utils.get_swa_multi_avg_fn()}, (1 + 2 + 6) / 3),
        ({"avg_fn": swa_utils.get_ema_avg_fn(0.5)}, (1 * 0.5 + 2 * 0.5) * 0.5 + 6 * 0.5),
        ({"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(0.5)}, 0.5 * 1.5 + 3),
        ({"avg_fn": lambda average, new, n: average * 0 + new + n}, 6 + 2),
    ],
)
def test_averages_of_three_models(options, expected):
    average = None
    for model in models(1.0, 2.0, 6.0):
        average = average or swa_utils.AveragedModel(model, **options)
        average.update_parameters(model)
    assert average is not None
    assert average.n_averaged.item() == 3
    for p in average.parameters():
        np.testing.assert_allclose(p.detach().numpy(), expected, rtol=1e-6)
    assert average(tensor([[0.0, 0.0]])).item() == pytest.approx(expected)


def test_the_average_is_a_copy_and_saves_its_count():
    (model,) = models(1.0)
    average = swa_utils.AveragedModel(model)
    average.update_parameters(model)
    with no_grad():
        model.weight.fill_(9.0)
    assert average.module.weight.detach().numpy().max() == 1.0
    assert set(average.state_dict()) == {"n_averaged", "module.weight", "module.bias"}


def test_decay_is_a_share():
    for wrong in (-0.1, 1.1):
        with pytest.raises(ValueError, match="decay"):
            swa_utils.get_ema_avg_fn(wrong)


def test_update_bn_computes_the_statistics_of_all_batches():
    rng = np.random.default_rng(0)
    batches = [rng.standard_normal((8, 3)).astype("float32") * 2 + 5 for _ in range(4)]
    model = nn.Sequential(nn.BatchNorm1d(3))
    model.eval()
    swa_utils.update_bn([(tensor(b), None) for b in batches], model)
    np.testing.assert_allclose(
        model[0].running_mean.numpy(), np.mean([b.mean(0) for b in batches], 0), rtol=1e-5
    )
    assert model[0].momentum == 0.1 and not model.training


def test_swalr_anneals_to_the_constant_rate():
    optimizer = optim.SGD([tensor([1.0], requires_grad=True)], lr=1.0)
    schedule = swa_utils.SWALR(optimizer, swa_lr=0.2, anneal_epochs=4, anneal_strategy="linear")
    seen = []
    for _ in range(6):
        optimizer.step()
        schedule.step()
        seen += schedule.get_last_lr()
    assert seen == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.2, 0.2])


def with_gradients(*grads):
    params = []
    for g in grads:
        g = np.asarray(g, dtype="float64")
        p = tensor(np.zeros_like(g), requires_grad=True)
        p.grad = tensor(g)
        params.append(p)
    return params


@pytest.mark.parametrize(
    ("norm_type", "expected"), [(2, 5.0), (1, 7.0), (float("inf"), 4.0), (3, (27 + 64) ** (1 / 3))]
)
def test_the_norm_of_all_gradients(norm_type, expected):
    params = with_gradients([3.0, 0.0], [[-4.0]])
    total = get_total_norm([p.grad for p in params], norm_type)
    assert total.item() == pytest.approx(expected)
    assert clip_grad_norm_(params, expected / 2, norm_type).item() == pytest.approx(expected)
    np.testing.assert_allclose(params[0].grad.numpy(), [1.5, 0.0], rtol=1e-5)
    np.testing.assert_allclose(params[1].grad.numpy(), [[-2.0]], rtol=1e-5)


def test_short_gradients_are_left_alone():
    params = with_gradients([3.0, 4.0])
    clip_grad_norm_(params, 100.0)
    assert params[0].grad.tolist() == [3.0, 4.0]


def test_norms_that_are_not_finite_can_be_an_error():
    params = with_gradients([1.0, float("nan")])
    with pytest.raises(RuntimeError, match="non-finite"):
        clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    assert np.isnan(clip_grad_norm_(params, 1.0).item())


def test_no_gradients_have_norm_zero():
    assert clip_grad_norm_([tensor([1.0], requires_grad=True)], 1.0).item() == 0.0
    with pytest.warns(UserWarning, match="empty generator"):
        clip_grad_norm_((p for p in []), 1.0)


def test_values_are_clipped_in_place():
    params = with_gradients([3.0, -0.5], [-7.0])
    grads = [p.grad for p in params]
    clip_grad_value_(params, 1.0)
    assert [g.tolist() for g in grads] == [[1.0, -0.5], [-1.0]]
