"""Optimizers against Keras's formulas in NumPy, step by step; clipping, decay, schedules."""

import inspect
import math
import pickle

import numpy as np
import pytest

from chainrule.keras import Variable, optimizers
from chainrule.keras.optimizers import schedules
from chainrule.tensor import creation

RNG = np.random.default_rng(0)
START = RNG.normal(size=5)
GRADS = RNG.normal(size=(6, 5))


def run(optimizer, grads=GRADS, start=START):
    v = Variable(np.array(start, np.float64), dtype="float64", name="kernel")
    for g in grads:
        optimizer.apply_gradients([(creation.tensor(g), v)])
    return v.numpy()


def adam(t, w, s, g, lr=0.01, b1=0.9, b2=0.999, eps=1e-7, amsgrad=False):
    s["m"] = s.get("m", 0) + (g - s.get("m", 0)) * (1 - b1)
    s["v"] = s.get("v", 0) + (g * g - s.get("v", 0)) * (1 - b2)
    v = s["v"]
    if amsgrad:
        v = s["h"] = np.maximum(s.get("h", 0), v)
    return w - lr * math.sqrt(1 - b2**t) / (1 - b1**t) * s["m"] / (np.sqrt(v) + eps)


def adamw(t, w, s, g):
    return adam(t, w - w * 0.004 * 0.01, s, g)


def sgd(t, w, s, g):
    return w - 0.01 * g


def momentum(t, w, s, g):
    s["m"] = 0.9 * s.get("m", 0) - 0.01 * g
    return w + s["m"]


def nesterov(t, w, s, g):
    s["m"] = 0.9 * s.get("m", 0) - 0.01 * g
    return w + 0.9 * s["m"] - 0.01 * g


def rmsprop(t, w, s, g):
    s["v"] = 0.9 * s.get("v", 0) + 0.1 * g * g
    return w - 0.01 * g / np.sqrt(s["v"] + 1e-7)


def rmsprop_all(t, w, s, g):
    s["v"] = 0.9 * s.get("v", 0) + 0.1 * g * g
    s["a"] = 0.9 * s.get("a", 0) + 0.1 * g
    s["m"] = 0.8 * s.get("m", 0) + 0.01 * g / np.sqrt(s["v"] - s["a"] ** 2 + 1e-7)
    return w - s["m"]


def adagrad(t, w, s, g):
    s["v"] = s.get("v", 0.1) + g * g
    return w - 0.01 * g / np.sqrt(s["v"] + 1e-7)


def adadelta(t, w, s, g):
    s["v"] = 0.95 * s.get("v", 0) + 0.05 * g * g
    d = -np.sqrt(s.get("d", 0) + 1e-7) * g / np.sqrt(s["v"] + 1e-7)
    s["d"] = 0.95 * s.get("d", 0) + 0.05 * d * d
    return w + 0.01 * d


def adamax(t, w, s, g):
    s["m"] = s.get("m", 0) + (g - s.get("m", 0)) * 0.1
    s["u"] = np.maximum(0.999 * s.get("u", 0), np.abs(g))
    return w - 0.01 * s["m"] / ((1 - 0.9**t) * (s["u"] + 1e-7))


def nadam(t, w, s, g):
    u, u1 = (0.9 * (1 - 0.5 * 0.96**k) for k in (t, t + 1))
    s["p"] = s.get("p", 1.0) * u
    s["m"] = s.get("m", 0) + (g - s.get("m", 0)) * 0.1
    s["v"] = s.get("v", 0) + (g * g - s.get("v", 0)) * 0.001
    m = u1 * s["m"] / (1 - s["p"] * u1) + (1 - u) * g / (1 - s["p"])
    return w - m * 0.01 / (np.sqrt(s["v"] / (1 - 0.999**t)) + 1e-7)


def lion(t, w, s, g):
    m = s.get("m", 0)
    s["m"] = 0.99 * m + 0.01 * g
    return w - 0.01 * np.sign(0.9 * m + 0.1 * g)


def lamb(t, w, s, g, lr=0.01, b1=0.9, b2=0.999):
    s["m"] = s.get("m", 0) + (g - s.get("m", 0)) * (1 - b1)
    s["v"] = s.get("v", 0) + (g * g - s.get("v", 0)) * (1 - b2)
    u = s["m"] / (1 - b1**t) / (np.sqrt(s["v"] / (1 - b2**t)) + 1e-7)
    return w - lr * np.linalg.norm(w) / np.linalg.norm(u) * u


def ftrl(t, w, s, g, lr=0.01, l1=0.01, l2=0.1):
    a, new = s.get("a", 0.1), s.get("a", 0.1) + g * g
    s["z"] = s.get("z", 0) + g - (np.sqrt(new) - np.sqrt(a)) / lr * w
    s["a"] = new
    return (np.clip(s["z"], -l1, l1) - s["z"]) / (np.sqrt(new) / lr + 2 * l2)


def adafactor(t, w, s, g, lr=0.01):
    b2 = 1 - t**-0.8
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * (g * g + 1e-30)
    u = g / np.sqrt(s["v"])
    rms = np.sqrt((u * u).mean())
    alpha = max(1e-3, np.sqrt((w * w).mean())) * min(lr, t**-0.5)
    return w - alpha * u / max(1, rms)


def schedule_free(t, w, s, g, lr=0.01, b1=0.9, b2=0.999):
    z = s.get("z", START)
    s["v"] = s.get("v", 0) + (g * g - s.get("v", 0)) * (1 - b2)
    s["z"] = z - lr * g / (np.sqrt(s["v"] / (1 - b2**t)) + 1e-8)
    x = (w - (1 - b1) * z) / b1
    x = (1 - 1 / t) * x + s["z"] / t
    return (1 - b1) * s["z"] + b1 * x


CASES = [
    (optimizers.Lamb(0.01), lamb),
    (optimizers.Ftrl(0.01, l1_regularization_strength=0.01, l2_regularization_strength=0.1), ftrl),
    (optimizers.Adafactor(0.01), adafactor),
    (optimizers.ScheduleFreeAdamW(0.01), schedule_free),
    (optimizers.SGD(0.01), sgd),
    (optimizers.SGD(0.01, momentum=0.9), momentum),
    (optimizers.SGD(0.01, momentum=0.9, nesterov=True), nesterov),
    (optimizers.Adam(0.01), adam),
    (optimizers.Adam(0.01, amsgrad=True), lambda *a: adam(*a, amsgrad=True)),
    (optimizers.AdamW(0.01), adamw),
    (optimizers.RMSprop(0.01), rmsprop),
    (optimizers.RMSprop(0.01, momentum=0.8, centered=True), rmsprop_all),
    (optimizers.Adagrad(0.01), adagrad),
    (optimizers.Adadelta(0.01), adadelta),
    (optimizers.Adamax(0.01), adamax),
    (optimizers.Nadam(0.01), nadam),
    (optimizers.Lion(0.01), lion),
]


@pytest.mark.parametrize("optimizer, formula", CASES, ids=lambda c: getattr(c, "name", ""))
def test_every_step_follows_the_formula(optimizer, formula):
    w, state = START.copy(), {}
    for t, g in enumerate(GRADS, 1):
        w = formula(t, w, state, g)
    np.testing.assert_allclose(run(optimizer), w, rtol=2e-6)  # the rate is a float32


def test_defaults_are_keras_defaults():
    assert float(optimizers.Adam().learning_rate) == pytest.approx(0.001)
    assert optimizers.Adam().epsilon == 1e-7
    assert float(optimizers.SGD().learning_rate) == pytest.approx(0.01)
    assert optimizers.Adagrad().initial_accumulator_value == 0.1
    assert optimizers.AdamW().weight_decay == 0.004
    assert optimizers.Adadelta().rho == 0.95


def test_clipping():
    g = np.array([[3.0, 4.0, 0, 0, 0]])
    start = np.zeros(5)
    np.testing.assert_allclose(
        run(optimizers.SGD(1.0, clipnorm=1.0), g, start), -g[0] / 5, rtol=1e-6
    )
    np.testing.assert_allclose(run(optimizers.SGD(1.0, clipnorm=9.0), g, start), -g[0], rtol=1e-6)
    np.testing.assert_allclose(
        run(optimizers.SGD(1.0, clipvalue=3.5), g, start), [-3, -3.5, 0, 0, 0], rtol=1e-6
    )
    a, b = Variable(np.zeros(1)), Variable(np.zeros(1))
    optimizers.SGD(1.0, global_clipnorm=1.0).apply_gradients(
        [(creation.tensor([3.0]), a), (creation.tensor([4.0]), b)]
    )
    np.testing.assert_allclose([a.numpy()[0], b.numpy()[0]], [-0.6, -0.8], rtol=1e-6)
    with pytest.raises(ValueError, match="one of"):
        optimizers.SGD(clipnorm=1.0, clipvalue=1.0)


def test_weight_decay_comes_before_the_step_and_can_leave_variables_out():
    w, b = Variable(np.ones(1), name="kernel"), Variable(np.ones(1), name="bias")
    optimizer = optimizers.SGD(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    zero = creation.tensor([0.0])
    optimizer.apply_gradients([(zero, w), (zero, b)])
    np.testing.assert_allclose([w.numpy()[0], b.numpy()[0]], [0.95, 1.0], rtol=1e-6)


def test_accumulated_gradients_are_averaged():
    g = np.array([[1.0] * 5, [3.0] * 5, [10.0] * 5])
    out = run(optimizers.SGD(0.1, gradient_accumulation_steps=2), g, np.zeros(5))
    np.testing.assert_allclose(out, -0.2, rtol=1e-6)


def test_the_learning_rate_can_be_set_and_read():
    optimizer = optimizers.Adam(learning_rate=0.1)
    optimizer.learning_rate = 0.05
    assert float(optimizer.learning_rate) == pytest.approx(0.05)
    optimizer.learning_rate.assign(0.01)
    assert float(optimizer.learning_rate.numpy()) == pytest.approx(0.01)
    assert optimizer.get_config()["learning_rate"] == pytest.approx(0.01)


def test_a_schedule_is_asked_at_every_step():
    optimizer = optimizers.SGD(schedules.PiecewiseConstantDecay([0, 1], [1.0, 10.0, 100.0]))
    v = Variable(np.zeros(()), dtype="float64")
    seen = []
    for _ in range(3):
        before = float(v.numpy())
        optimizer.apply_gradients([(creation.tensor(-1.0).double(), v)])
        seen.append(float(v.numpy()) - before)
    np.testing.assert_allclose(seen, [1, 10, 100], rtol=1e-6)
    assert int(optimizer.iterations) == 3


def test_schedules_follow_their_formulas():
    assert schedules.ExponentialDecay(0.1, 10, 0.96)(5) == pytest.approx(0.1 * 0.96**0.5)
    assert schedules.ExponentialDecay(0.1, 10, 0.96, staircase=True)(19) == pytest.approx(0.096)
    assert schedules.InverseTimeDecay(0.1, 2.0, 0.5)(4) == pytest.approx(0.1 / 2)
    assert schedules.PolynomialDecay(0.1, 100, 0.01, 0.5)(50) == pytest.approx(
        0.09 * 0.5**0.5 + 0.01
    )
    cosine = schedules.CosineDecay(0.1, 100, alpha=0.1)
    assert cosine(0) == pytest.approx(0.1)
    assert cosine(50) == pytest.approx(0.1 * (0.9 * 0.5 + 0.1))
    assert cosine(500) == pytest.approx(0.01)
    warm = schedules.CosineDecay(0.0, 100, warmup_target=0.1, warmup_steps=10)
    assert warm(5) == pytest.approx(0.05)
    assert warm(10) == pytest.approx(0.1)
    restarts = schedules.CosineDecayRestarts(0.1, 10, t_mul=2.0, m_mul=0.5)
    assert restarts(10) == pytest.approx(0.05)
    assert restarts(20) == pytest.approx(0.05 * 0.5)
    with pytest.raises(ValueError, match="boundaries"):
        schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2])


def test_by_name_and_from_config():
    assert isinstance(optimizers.get("adam"), optimizers.Adam)
    assert isinstance(optimizers.get("RMSprop"), optimizers.RMSprop)
    made = optimizers.Adam(schedules.ExponentialDecay(0.1, 10, 0.5), beta_1=0.5, clipnorm=2.0)
    again = optimizers.deserialize(optimizers.serialize(made))
    assert (again.beta_1, again.clipnorm) == (0.5, 2.0)
    assert float(again.learning_rate) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="unknown optimizer 'adamm'"):
        optimizers.get("adamm")
    with pytest.raises(ValueError, match="'learningrate'"):
        optimizers.Adam(learningrate=0.1)


def test_gradients_that_do_not_exist():
    a, b = Variable(np.ones(1), name="a"), Variable(np.ones(1), name="b")
    optimizer = optimizers.SGD(1.0)
    with pytest.warns(UserWarning, match="Gradients do not exist for variables .*b"):
        optimizer.apply([creation.tensor([1.0]), None], [a, b])
    np.testing.assert_allclose([a.numpy()[0], b.numpy()[0]], [0, 1])
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        optimizer.apply([None, None], [a, b])


def test_one_of_ones_own():
    class Heavy(optimizers.Optimizer):
        def __init__(self, learning_rate=0.1, beta=0.5, **kwargs):
            super().__init__(learning_rate, **kwargs)
            self.beta = beta

        def build(self, variables):
            super().build(variables)
            self.speed = [self.add_variable_from_reference(v, "speed") for v in variables]

        def update_step(self, gradient, variable, learning_rate):
            speed = self.speed[self._get_variable_index(variable)]
            self.assign(speed, self.beta * speed + gradient)
            self.assign_sub(variable, learning_rate * speed)

        def get_config(self):
            return super().get_config() | {"beta": self.beta}

    optimizer = Heavy(0.1, weight_decay=0.1)
    w, m = START.copy(), 0.0
    for g in GRADS:
        m = 0.5 * m + g
        w = w * (1 - 0.1 * 0.1) - 0.1 * m
    np.testing.assert_allclose(run(optimizer), w, rtol=2e-6)
    assert [v.name for v in optimizer.variables][-1] == "kernel_speed"
    assert Heavy.from_config(optimizer.get_config()).beta == 0.5


def test_state_is_variables_in_keras_order():
    v = [Variable(np.ones((2, 3)), name="k"), Variable(np.ones(3), name="b")]
    optimizer = optimizers.Adam(use_ema=True, gradient_accumulation_steps=2, amsgrad=True)
    optimizer.build(v)
    assert [x.name for x in optimizer.variables] == [
        "iteration", "learning_rate", "k_average", "b_average", "k_gradient_accumulator",
        "b_gradient_accumulator", "k_momentum", "k_velocity", "b_momentum", "b_velocity",
        "k_velocity_hat", "b_velocity_hat",
    ]  # fmt: skip
    assert optimizer.variables[0].path == f"{optimizer.name}/iteration"
    optimizer.learning_rate = schedules.ExponentialDecay(0.1, 10, 0.5)
    assert len(optimizer.variables) == 11


@pytest.mark.parametrize("make", [lambda: optimizers.Nadam(0.1), lambda: optimizers.Muon(0.1)])
def test_state_goes_through_stores_and_pickles(make):
    rng = np.random.default_rng(5)
    start, grads = rng.normal(size=(3, 2)), rng.normal(size=(6, 3, 2))

    def steps(optimizer, variable, some):
        for g in some:
            optimizer.apply_gradients([(creation.tensor(g), variable)])
        return variable.numpy()

    whole = steps(make(), Variable(start, name="kernel"), grads)
    first, variable = make(), Variable(start, name="kernel")
    steps(first, variable, grads[:3])
    store = {}
    first.save_own_variables(store)
    second, copied = make(), Variable(variable.numpy(), name="kernel")
    second.build([copied])
    second.load_own_variables(store)
    assert int(second.iterations) == 3
    np.testing.assert_array_equal(steps(second, copied, grads[3:]), whole)
    third, variable = pickle.loads(pickle.dumps((first, variable)))
    np.testing.assert_array_equal(steps(third, variable, grads[3:]), whole)


def test_steps_without_state():
    v = Variable(np.array([1.0, 2.0]))
    optimizer = optimizers.Adam(0.1)
    optimizer.build([v])
    before = [x.numpy() for x in optimizer.variables]
    new, state = optimizer.stateless_apply(before, [np.ones(2, "f")], [v.numpy()])
    np.testing.assert_allclose(new[0].numpy(), [0.9, 1.9], rtol=1e-5)
    assert int(state[0]) == 1 and int(optimizer.iterations) == 0
    np.testing.assert_array_equal(v.numpy(), [1.0, 2.0])
    for x, old in zip(optimizer.variables, before, strict=True):
        np.testing.assert_array_equal(x.numpy(), old)


def test_losses_are_scaled_and_infinite_steps_left_out():
    v = Variable(np.array([1.0]))
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(0.5), 4.0, dynamic_growth_steps=2)
    optimizer.apply_gradients([(np.array([np.inf], "f"), v)])
    assert (float(v), float(optimizer.scale_loss(1.0)), int(optimizer.iterations)) == (1.0, 2.0, 0)
    for _ in range(2):
        optimizer.apply_gradients([(np.array([2.0], "f"), v)])
    assert (float(v), float(optimizer.scale_loss(1.0)), int(optimizer.iterations)) == (0.0, 4.0, 2)
    again = optimizers.deserialize(optimizers.serialize(optimizer))
    assert isinstance(again.inner_optimizer, optimizers.SGD)


def test_several_optimizers_in_one():
    a, b = Variable(np.ones(2), name="a"), Variable(np.ones(2), name="b")
    chosen = optimizers.OptimizerMap(optimizers.SGD(1.0), {"a": optimizers.SGD(0.1)})
    optimizer = optimizers.MultiOptimizer(chosen)
    optimizer.apply_gradients([(np.ones(2, "f"), a), (np.ones(2, "f"), b)])
    np.testing.assert_allclose([a.numpy()[0], b.numpy()[0]], [0.9, 0.0], rtol=1e-6)
    with pytest.raises(AttributeError, match="sub-optimizers"):
        optimizer.learning_rate = 0.1


def test_gradients_in_the_place_of_variables():
    v, w = Variable(np.ones(2)), Variable(np.ones(2))
    v.overwrite_with_gradient = True
    optimizers.SGD(0.5).apply_gradients([(np.full(2, 3, "f"), v), (np.ones(2, "f"), w)])
    assert (v.tolist(), w.tolist()) == ([3.0, 3.0], [0.5, 0.5])


def test_signatures_are_those_of_keras():
    names = list(inspect.signature(optimizers.Adam).parameters)
    assert names[:6] == ["learning_rate", "beta_1", "beta_2", "epsilon", "amsgrad", "weight_decay"]
    assert names[-2:] == ["name", "kwargs"]
    assert optimizers.Adam(0.1, 0.8, 0.9, 1e-5, True, 0.01).weight_decay == 0.01
    with pytest.raises(ValueError, match="not recognized"):
        optimizers.SGD(momentun=0.9)
