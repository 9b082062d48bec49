"""A shape that does not fit: the layer, what its axes mean, a repair, and the user's lines."""

import pytest

import chainrule as torch
from chainrule import nn

r = torch.zeros
F = nn.functional


def told(call, *args, **kwargs):
    with pytest.raises(Exception) as caught:
        call(*args, **kwargs)
    return "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


def repair(call, *args, **kwargs):
    lines = told(call, *args, **kwargs).splitlines()
    return next(line.removeprefix("Repair: ") for line in lines if line.startswith("Repair: "))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20, 10)
        )

    def forward(self, x):
        return self.features(x)


def test_both_lines_are_named_with_the_layer_its_axes_and_the_layer_before():
    text = told(lambda: Net()(r(64, 1, 8, 8)))
    layer, problem, repair, inside, call = text.splitlines()[1:6]
    assert text.startswith("mat1 and mat2 shapes cannot be multiplied (64x288 and 20x10)")
    assert layer.startswith("in Net.features.3: Linear(in_features=20, out_features=10")
    assert layer.endswith(
        "given f32[64 (batch), 288 (features)], weight f32[10 (out_features), 20 (in_features)]"
    )
    assert problem == "it takes 20 features in the last axis, got 288"
    assert repair == (
        "Repair: nn.Linear(288, 10), or give it 20 features (the layer before it: 'features.2', "
        "Flatten)"
    )
    assert inside.startswith("at ") and inside.endswith(", in forward: return self.features(x)")
    assert call.startswith("from ") and "test_shape_errors.py" in call


@pytest.mark.parametrize(
    ("layer", "shape", "says"),
    [
        (nn.Linear(20, 10), (64, 30), "nn.Linear(30, 10), or give it 20 features"),
        (nn.Linear(9216, 10), (2, 64, 12, 12), "put nn.Flatten() before it: 9216 features"),
        (nn.Linear(9, 10), (2, 64, 12, 12), "9216 features, which nn.Linear(9216, 10) takes"),
        (nn.Linear(20, 10), (20, 5), "axis 0 has 20: x.permute(1, 0)"),
        (nn.Conv2d(3, 8, 3), (4, 32, 32, 3), "the axes look like NHWC: x.permute(0, 3, 1, 2)"),
        (nn.Conv2d(3, 8, 3), (4, 1, 32, 32), "nn.Conv2d(1, 8, 3), or give it 3 channels"),
        (nn.Conv2d(1, 8, 3), (64, 28, 28), "the channels axis is missing: x.unsqueeze(1)"),
        (nn.Conv2d(1, 8, 3), (64, 784), "flattened pictures: x.view(-1, 1, 28, 28)"),
        (nn.Conv2d(1, 8, 5), (4, 1, 3, 3), "padding=1, a smaller kernel"),
        (nn.Conv1d(16, 8, 3), (4, 100, 16), "the axes look like NLC: x.permute(0, 2, 1)"),
        (nn.Conv3d(2, 8, 3), (4, 5, 9, 9, 2), "NDHWC: x.permute(0, 4, 1, 2, 3)"),
        (nn.ConvTranspose2d(3, 8, 3), (4, 9, 9, 3), "NHWC: x.permute(0, 3, 1, 2)"),
        (nn.MaxPool2d(2), (4, 8, 1, 1), "nothing would be left of (1, 1)"),
        (nn.BatchNorm2d(16), (4, 8, 5, 5), "nn.BatchNorm2d(8), or give it 16 channels"),
        (nn.BatchNorm2d(16), (4, 16), "nn.BatchNorm1d takes inputs of 2 axes"),
        (nn.LayerNorm(16), (4, 8), "give it 16 features"),
        (nn.GroupNorm(4, 16), (4, 8, 5, 5), "nn.GroupNorm(4, 8), or give it 16 channels"),
        (nn.LSTM(8, 6, batch_first=True), (4, 5, 9), "nn.LSTM(9, 6, batch_first=True), or give"),
        (nn.GRU(8, 6), (4, 8, 5), "axis 1 has 8: x.permute(0, 2, 1)"),
        (nn.LSTMCell(8, 6), (4, 9), "nn.LSTMCell(9, 6), or give it 8 features"),
        (nn.Embedding(9, 2), (3,), "indices.long()"),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, nn.Module) else str(v)[:24],
)
def test_a_layer_proposes_what_would_fit(layer, shape, says):
    assert says in repair(layer, r(*shape))


def test_an_index_says_how_large_the_table_is():
    text = told(nn.Embedding(10, 4), torch.tensor([1, 12]))
    assert "index 12 is out of range, the table has 10 rows" in text
    assert "in Embedding" in text and "a table of 13 rows" in text


def test_attention_says_which_axes_a_mask_has():
    attention, x = nn.MultiheadAttention(12, 3), r(5, 2, 12)
    assert "key_padding_mask" in repair(attention, x, x, x, attn_mask=r(2, 5))
    assert "mask.T" in repair(attention, x, x, x, key_padding_mask=r(5, 2))
    assert "(targets, sources)" in repair(attention, x, x, x, attn_mask=r(4, 4))
    assert "12 features in the last axis, got 10" in told(attention, *[r(5, 2, 10)] * 3)
    assert repair(nn.MultiheadAttention, 10, 3) == "num_heads=2, or embed_dim=12"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: r(3, 4) @ r(6, 4), "a @ b.mT"),
        (lambda: r(4, 3) @ r(4, 6), "a.mT @ b"),
        (lambda: torch.bmm(r(2, 3, 4), r(3, 4, 5)), "axis 0 is the batch"),
        (lambda: torch.einsum("ij,jk->ik", r(2, 3), r(4, 3)), "write 'kj' for it"),
        (lambda: r(64, 10) + r(64), "b[:, None] (64, 1)"),
        (lambda: r(3, 4) + r(4, 3), "b.mT"),
        (lambda: r(2, 8, 5, 5) + r(2, 16, 5, 5), "nn.Conv2d(8, 16, 1)"),
        (lambda: r(2, 8, 5, 5) + r(2, 8, 3, 3), "pads or strides differently"),
        (lambda: r(2, 8) + r(2, 16), "nn.Linear(8, 16)"),
        (lambda: r(3, 4).view(5, 2), "x.reshape(-1, 2)"),
        (lambda: r(3, 4).view(-1, 5), "x.reshape(3, -1) gives (3, 4)"),
        (lambda: torch.cat([r(2, 3), r(2, 4)]), "only axis 1 differs: cat(…, dim=1)"),
        (lambda: torch.cat([r(2, 3), r(2, 3, 1)]), "x.unsqueeze(0)"),
        (lambda: torch.stack([r(2), r(3)]), "pad or cut"),
    ],
)
def test_an_operation_proposes_what_would_fit(call, says):
    assert says in repair(call)


@pytest.mark.parametrize(
    ("loss", "target", "says"),
    [
        (nn.CrossEntropyLoss(), r(4), "target.long()"),
        (nn.CrossEntropyLoss(), r(4, 3).long(), "target.float(), or argmax(1)"),
        (nn.CrossEntropyLoss(), r(4, 1).long(), "target.squeeze(-1)"),
        (nn.CrossEntropyLoss(), r(5).long(), "4 rows of predictions, 5 targets"),
        (nn.BCEWithLogitsLoss(), r(4), "use cross_entropy"),
        (nn.BCEWithLogitsLoss(), r(4, 3, 1), "target.squeeze(-1)"),
    ],
)
def test_a_loss_proposes_what_would_fit(loss, target, says):
    text = told(loss, r(4, 3), target)
    assert says in text and f"in {type(loss).__name__}" in text


def test_classes_on_the_last_axis_and_swapped_arguments_are_seen():
    loss = nn.CrossEntropyLoss()
    assert repair(loss, r(4, 7, 9), r(4, 7).long()) == "input.movedim(-1, 1)"
    assert "swapped" in repair(loss, r(4).long(), r(4, 9))
    assert "f32[4 (batch), 9 (classes)]" in told(loss, r(4, 9), r(4, 1).long())


def test_an_error_of_the_users_own_gets_the_path_and_no_advice():
    class Own(nn.Module):
        def forward(self, x):
            raise ValueError("no")

    text = told(nn.Sequential(Own()), r(1))
    assert "in Sequential.0: Own(), given f32[1]" in text and "Repair" not in text


def test_a_state_that_does_not_fit_says_which_names_or_which_layer():
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5))
    state = net.state_dict()
    wrapped = {f"module.{k}": v for k, v in state.items()}
    assert "k.removeprefix('module.')" in repair(net.load_state_dict, wrapped)
    inner = nn.Linear(3, 4)
    assert "'0.' + k" in repair(nn.Sequential(inner).load_state_dict, inner.state_dict())
    other = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 9)).state_dict()
    assert "only '1' differs" in repair(net.load_state_dict, other)
    turned = {k: v.T if v.ndim == 2 else v for k, v in state.items()}
    assert repair(net.load_state_dict, turned) == "these are transposed: state['0.weight'].T"
