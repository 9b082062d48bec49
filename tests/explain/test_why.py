"""Faults planted in programs of PyTorch's face are found, with their layer."""

from __future__ import annotations

import math

import pytest
from why_programs import (
    blobs,
    cnn,
    errors,
    images,
    mlp,
    numbers,
)

import chainrule as torch
from chainrule import config, keras, nn
from chainrule.explain import why
from chainrule.utils.data import DataLoader, TensorDataset

F, L, KL = nn.functional, keras.layers, keras.losses
Adam, SGD = torch.optim.Adam, torch.optim.SGD


@pytest.fixture(autouse=True)
def _seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    keras.utils.set_random_seed(0)
    monkeypatch.setattr(config, "backend", "reference")  # nothing here is worth compiling


# ---------------------------------------------------------------- planted faults, PyTorch's face


def softmax_twice():
    return mlp(nn.Softmax(-1)), blobs(), nn.CrossEntropyLoss()


def sigmoid_twice():
    x, y = blobs(k=2)
    return mlp(nn.Sigmoid(), k=1), (x, y.float()[:, None]), nn.BCEWithLogitsLoss()


def nll_on_logits():
    return mlp(), blobs(), nn.NLLLoss()


def softmax_of_one():
    x, y = blobs(k=2)
    return mlp(nn.Softmax(-1), k=1), (x, y.float()[:, None]), nn.BCELoss()


def softmax_over_the_batch():
    x, y = blobs()
    return mlp(nn.Softmax(0)), (x, F.one_hot(y, 3).float()), nn.MSELoss()


def spread_targets():
    x, y = numbers()
    return mlp(k=1), (x, y[:, 0]), nn.MSELoss()


def labels_from_one():
    x, y = blobs()
    return mlp(), (x, y + 1), nn.CrossEntropyLoss()


def labels_of_more_classes():
    x, y = blobs(k=5)
    return mlp(), (x, y), nn.CrossEntropyLoss()


def float_labels():
    x, y = blobs()
    return mlp(), (x, y.float()), nn.CrossEntropyLoss()


def one_hot_labels():
    x, y = blobs()
    return mlp(), (x, F.one_hot(y, 3)), nn.NLLLoss()


def minus_one_labels():
    x, y = blobs(k=2)
    return mlp(k=1), (x, (2 * y - 1).float()[:, None]), nn.BCEWithLogitsLoss()


def unscaled():
    x, y = blobs()
    return mlp(), ((x - x.min()) / (x.max() - x.min()) * 255, y), nn.CrossEntropyLoss()


def nan_in_data():
    x, y = blobs()
    x[5, 2] = math.nan
    return mlp(), (x, y), nn.CrossEntropyLoss()


def features_of_all_sizes():
    x, y = blobs()
    return mlp(), (x * torch.tensor([1e5, 1, 1, 1, 1, 1, 1, 1e-2]), y), nn.CrossEntropyLoss()


def dead_relus():
    model = mlp()
    with torch.no_grad():
        model[0].bias.fill_(-50.0)
    return model, blobs(), nn.CrossEntropyLoss()


def vanishing():
    layers = [m for _ in range(14) for m in (nn.Linear(8, 8), nn.Sigmoid())]
    return nn.Sequential(*layers, nn.Linear(8, 3)), blobs(), nn.CrossEntropyLoss()


def exploding():
    model = nn.Sequential(*[nn.Linear(8, 8) for _ in range(8)], nn.Linear(8, 3))
    with torch.no_grad():
        for layer in model:
            layer.weight.normal_(0, 4)
    return model, blobs(), nn.CrossEntropyLoss()


def zero_weights():
    model = mlp()
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    return model, blobs(), nn.CrossEntropyLoss()


def constant_weights():
    model = mlp()
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(0.1)
    return model, blobs(), nn.CrossEntropyLoss()


def relu_at_the_end():
    return mlp(nn.ReLU(), k=1), numbers(), nn.MSELoss()


def sigmoid_for_numbers():
    return mlp(nn.Sigmoid(), k=1), numbers(), nn.MSELoss()


def relu_on_logits():
    return mlp(nn.ReLU()), blobs(), nn.CrossEntropyLoss()


def cut_off():
    return mlp(), blobs(), lambda out, y: F.cross_entropy(out.detach(), y)


def predicted_classes():
    x, y = blobs()
    return mlp(), (x, y), lambda out, y: ((out.argmax(1) - y) ** 2).float().mean()


def another_loss():
    return mlp(), blobs(), lambda out, y: (y.float() ** 2).mean()


def all_frozen():
    model = mlp()
    for p in model.parameters():
        p.requires_grad_(False)
    return model, blobs(), nn.CrossEntropyLoss()


class Hidden(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(8, 8), nn.Linear(8, 8)]
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.out(x)


def plain_list():
    return Hidden(), blobs(), nn.CrossEntropyLoss()


class Unused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = nn.Linear(8, 3), nn.Linear(8, 3)

    def forward(self, x):
        return self.used(x)


def unused_layer():
    return Unused(), blobs(), nn.CrossEntropyLoss()


def one_class():
    x, _ = blobs()
    return mlp(), (x, torch.ones(64, dtype=torch.int64)), nn.CrossEntropyLoss()


def imbalanced():
    x, y = blobs()
    y = torch.zeros(64, dtype=torch.int64)
    y[::16] = 1
    return mlp(), (x, y), nn.CrossEntropyLoss()


def batch_of_one():
    model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    x, y = blobs()
    return model, (x[:1], y[:1]), nn.CrossEntropyLoss()


def batch_of_two():
    model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    x, y = blobs()
    return model, (x[:2], y[:2]), nn.CrossEntropyLoss()


def eval_mode():
    return cnn().eval(), images(), nn.CrossEntropyLoss()


def identical_samples():
    x, y = blobs()
    return mlp(), (x[:1].repeat(64, 1), y), nn.CrossEntropyLoss()


class Tight(nn.Module):
    """A model whose output does not depend on its input."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        return self.fc(x * 0)


def ignores_input():
    return Tight(), blobs(), nn.CrossEntropyLoss()


def nan_loss():
    return mlp(k=1), numbers(), lambda out, y: torch.log(-(out.abs())).mean()


def labels_in_a_column():
    x, y = blobs()
    return mlp(), (x, y[:, None]), nn.CrossEntropyLoss()


def prices():
    x, y = numbers()
    return mlp(k=1), (x, 2e5 + 5e4 * y), nn.MSELoss()


def large_weights():
    model = mlp()
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(100)
    return model, blobs(), nn.CrossEntropyLoss()


def constant_features():
    x, y = blobs()
    x[:, :6] = 1.0
    return mlp(), (x, y), nn.CrossEntropyLoss()


def no_grad_inside():
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 3)

        def forward(self, x):
            with torch.no_grad():
                return self.fc(x)

    return Cut(), blobs(), nn.CrossEntropyLoss()


FAULTS = {
    labels_in_a_column: ("targets of the wrong shape", ""),
    prices: ("targets not scaled", ""),
    large_weights: ("loss starts high", ""),
    constant_features: ("constant features", ""),
    no_grad_inside: ("loss without model", ""),
    softmax_twice: ("softmax twice", "3"),
    sigmoid_twice: ("sigmoid twice", "3"),
    nll_on_logits: ("logits taken for log-probabilities", "2"),
    softmax_of_one: ("softmax of one", "3"),
    softmax_over_the_batch: ("softmax over the batch", "3"),
    spread_targets: ("broadcast in the loss", ""),
    labels_from_one: ("labels out of range", ""),
    labels_of_more_classes: ("labels out of range", ""),
    float_labels: ("targets of the wrong type", ""),
    one_hot_labels: ("one-hot for class numbers", ""),
    minus_one_labels: ("labels out of range", ""),
    unscaled: ("input not scaled", "0"),
    nan_in_data: ("nan in x", ""),
    features_of_all_sizes: ("features of different size", ""),
    dead_relus: ("dead units", "1"),
    vanishing: ("vanishing gradient", None),
    exploding: ("exploding gradient", None),
    zero_weights: ("symmetric units", "0"),
    constant_weights: ("symmetric units", "0"),
    relu_at_the_end: ("activation cannot reach the targets", "3"),
    sigmoid_for_numbers: ("activation cannot reach the targets", "3"),
    relu_on_logits: ("relu on logits", "3"),
    cut_off: ("loss without model", ""),
    predicted_classes: ("loss without model", ""),
    another_loss: ("loss without model", ""),
    all_frozen: ("all frozen", ""),
    plain_list: ("layers in a plain list", "layers"),
    unused_layer: ("no gradient", "unused"),
    one_class: ("one class", ""),
    imbalanced: ("imbalance", ""),
    batch_of_one: ("batch of one", "1"),
    batch_of_two: ("small batch", "1"),
    eval_mode: ("eval mode in training", "1"),
    identical_samples: ("identical samples", ""),
    ignores_input: ("identical outputs", None),
    nan_loss: ("loss not finite", ""),
}
WARNINGS = {
    "loss starts high", "constant features", "features of different size", "no gradient",
    "imbalance", "eval mode in training",
}  # fmt: skip


@pytest.mark.parametrize("plant", FAULTS, ids=lambda f: f.__name__)
def test_planted_faults_are_found(plant) -> None:
    model, data, loss = plant()
    kind, layer = FAULTS[plant]
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = Adam(trainable) if trainable else None
    reasons = why(model, data, loss=loss, optimizer=optimizer, seconds=0)
    found = {f.kind: f for f in reasons}
    assert kind in found, str(reasons)
    assert reasons[0].kind == kind or kind in errors(reasons) | WARNINGS, str(reasons)
    assert layer is None or found[kind].layer == layer, str(found[kind])
    assert found[kind].remedy and found[kind].message
    assert kind in WARNINGS or found[kind].severity == "error" or reasons[0].kind == kind


# ---------------------------------------------------------------- rates


@pytest.mark.parametrize("kind", [Adam, SGD])
def test_a_rate_that_is_too_high_is_found(kind) -> None:
    model = mlp()
    reasons = why(
        model, blobs(), loss=nn.CrossEntropyLoss(), optimizer=kind(model.parameters(), lr=100.0)
    )
    assert reasons[0].kind == "learning rate too high", str(reasons)
    assert reasons[0].evidence["smaller"] < 100


def test_a_rate_that_leaps_before_it_learns_is_told() -> None:
    torch.manual_seed(3)
    model = mlp()
    reasons = why(
        model, blobs(), loss=nn.CrossEntropyLoss(), optimizer=Adam(model.parameters(), lr=10.0)
    )
    assert reasons[0].kind == "learning rate too high", str(reasons)


@pytest.mark.parametrize("kind", [Adam, SGD])
def test_a_rate_that_is_too_low_is_found(kind) -> None:
    model = mlp()
    reasons = why(
        model, blobs(), loss=nn.CrossEntropyLoss(), optimizer=kind(model.parameters(), lr=1e-8)
    )
    assert reasons[0].kind == "learning rate too low", str(reasons)
    assert reasons[0].evidence["larger"] > 1e-7


def test_what_cannot_be_learned_is_said() -> None:
    class Stuck(nn.Module):  # steps of a floor: no gradient of use
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 3)

        def forward(self, x):
            return torch.floor(self.fc(x) * 5) + 0 * self.fc(x)

    model = Stuck()
    reasons = why(model, blobs(), loss=nn.CrossEntropyLoss(), optimizer=Adam(model.parameters()))
    assert "cannot overfit one batch" in errors(reasons), str(reasons)


# ---------------------------------------------------------------- the program's own step


def stepper(model, optimizer, *, zero=True, back=True, update=True, train=True, clip=False):
    loss = nn.CrossEntropyLoss()

    def step(batch):
        x, y = batch
        if train:
            model.train()
        if zero:
            optimizer.zero_grad()
        value = loss(model(x), y)
        if back:
            value.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if update:
            optimizer.step()
        return value.item()

    return step


def with_step(model=None, optimizer=None, **options):
    model = mlp() if model is None else model
    optimizer = Adam(model.parameters()) if optimizer is None else optimizer
    loader = DataLoader(TensorDataset(*blobs()), batch_size=32, shuffle=True)
    return why(
        model, loader, loss=nn.CrossEntropyLoss(), optimizer=optimizer,
        step=stepper(model, optimizer, **options), seconds=0,
    )  # fmt: skip


@pytest.mark.parametrize("clip", [False, True])
def test_a_sound_step_gives_no_alarm(clip: bool) -> None:
    reasons = with_step(clip=clip)
    assert not reasons, str(reasons)
    assert any("parameters change" in line for line in reasons.looked)


@pytest.mark.parametrize("clip", [False, True])
def test_a_forgotten_zero_grad_is_found(clip: bool) -> None:
    reasons = with_step(zero=False, clip=clip)
    assert "forgotten zero_grad" in errors(reasons), str(reasons)
    if not clip:
        (finding,) = [f for f in reasons if f.kind == "forgotten zero_grad"]
        assert finding.evidence["growth"][0] == pytest.approx(2, rel=0.01)


def test_gradients_that_are_added_up_on_purpose_are_no_fault() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), lr=0.1)
    count = [0]

    def step(batch):
        x, y = batch
        nn.functional.cross_entropy(model(x), y).backward()
        count[0] += 1
        if count[0] % 2 == 0:
            optimizer.step()
            optimizer.zero_grad()

    reasons = why(model, blobs(), loss=nn.CrossEntropyLoss(), optimizer=optimizer, step=step)
    assert "forgotten zero_grad" not in reasons.kinds, str(reasons)


def test_a_step_that_does_nothing_is_found() -> None:
    assert "step changes nothing" in errors(with_step(update=False))
    assert "step changes nothing" in errors(with_step(back=False))


def test_parameters_that_the_optimizer_lacks_are_found() -> None:
    model = mlp()
    reasons = with_step(model, Adam(model[2].parameters()))
    (finding,) = [f for f in reasons if f.kind == "not in the optimizer"]
    assert finding.layer == "0" and finding.severity == "error"
    other = with_step(mlp(), Adam(mlp().parameters()))
    assert other[0].kind == "optimizer of another model"


def test_a_step_in_eval_mode_is_found() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.5), nn.ReLU(), nn.Linear(16, 3)).eval()
    reasons = with_step(model, train=False)
    assert "eval mode in training" in errors(reasons), str(reasons)
    model.eval()
    assert not with_step(model), "the step calls train() itself"


def test_an_evaluation_in_training_mode_is_found() -> None:
    for model, data in ((cnn(), images()), (mlp(nn.Dropout(0.5)), blobs())):

        def forgets(batch, model=model):
            return model(batch[0]).argmax(1)

        def minds(batch, model=model):
            model.eval()
            with torch.no_grad():
                out = model(batch[0]).argmax(1)
            model.train()
            return out

        loss = nn.CrossEntropyLoss()
        optimizer = Adam(model.parameters())
        reasons = why(model, data, loss=loss, optimizer=optimizer, evaluate=forgets, seconds=0)
        assert "training mode in evaluation" in errors(reasons), str(reasons)
        good = why(model, data, loss=loss, optimizer=optimizer, evaluate=minds, seconds=0)
        assert not good, str(good)


def test_data_in_order_are_found() -> None:
    x, y = blobs(256)
    order = torch.argsort(y)
    data = TensorDataset(x[order], y[order])
    model = mlp()
    for shuffle in (False, True):
        reasons = why(
            model, DataLoader(data, batch_size=16, shuffle=shuffle), loss=nn.CrossEntropyLoss(),
            optimizer=Adam(model.parameters()), seconds=0,
        )  # fmt: skip
        assert ("not shuffled" in errors(reasons)) != shuffle, str(reasons)
