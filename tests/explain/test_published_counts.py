"""Networks whose counts have been published: multiply-adds and parameters are those."""

import pytest

import chainrule as torch
from chainrule import explain, nn
from chainrule.nn import init
from chainrule.vision import models


@pytest.fixture
def empty(monkeypatch):
    """Parameters without values: only shapes count."""
    for name in dir(init):
        if name.endswith("_") and not name.startswith("_"):
            monkeypatch.setattr(init, name, lambda t, *_, **__: t)


@pytest.mark.parametrize(
    ("name", "macs", "params"),
    [  # multiply-adds of convolutions and products, as torchvision's pages publish them
        ("alexnet", 714_188_480, 61_100_840),
        ("resnet18", 1_814_073_344, 11_689_512),
        ("resnet50", 4_089_184_256, 25_557_032),
        ("mobilenet_v2", 300_774_272, 3_504_872),
        ("vgg16", 15_470_264_320, 138_357_544),
        ("vit_b_16", 17_563_828_224, 86_567_656),
    ],
)
@pytest.mark.usefixtures("empty")
def test_the_published_counts_of_vision_networks(name, macs, params):
    found = explain.summary(getattr(models, name)(), (1, 3, 224, 224), time=False, train=False)
    assert (found.macs, found.total_params) == (macs, params)


def test_resnet18_by_hand():
    def stage(n, size, c_in, c_out):
        first = size**2 * c_out * c_in * 9
        others = 3 * size**2 * c_out * c_out * 9
        return first + others + (size**2 * c_out * c_in if n else 0)

    hand = 112**2 * 64 * 3 * 49 + 512 * 1000
    for n, c in enumerate((64, 128, 256, 512)):
        hand += stage(n, 56 >> n, c // 2 if n else 64, c)
    assert hand == 1_814_073_344


class Block(nn.Module):
    def __init__(self, c, heads):
        super().__init__()
        self.ln_1, self.attn, self.proj = nn.LayerNorm(c), nn.Linear(c, 3 * c), nn.Linear(c, c)
        self.ln_2, self.fc, self.out = nn.LayerNorm(c), nn.Linear(c, 4 * c), nn.Linear(4 * c, c)
        self.heads = heads

    def forward(self, x):
        b, t, c = x.shape
        parts = self.attn(self.ln_1(x)).split(c, dim=2)
        q, k, v = (p.view(b, t, self.heads, c // self.heads).transpose(1, 2) for p in parts)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(b, t, c))
        return x + self.out(nn.functional.gelu(self.fc(self.ln_2(x)), approximate="tanh"))


class GPT(nn.Module):
    def __init__(self, words, length, c, heads, layers):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(words, c), nn.Embedding(length, c)
        self.h = nn.ModuleList(Block(c, heads) for _ in range(layers))
        self.ln_f, self.head = nn.LayerNorm(c), nn.Linear(c, words, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, i):
        x = self.wte(i) + self.wpe(torch.arange(i.shape[1]))
        for block in self.h:
            x = block(x)
        return self.head(self.ln_f(x))


@pytest.mark.usefixtures("empty")
def test_gpt2_small():
    t, c, words, layers = 1024, 768, 50257, 12
    model = GPT(words, t, c, 12, layers)
    found = explain.summary(model, torch.zeros(1, t, dtype=torch.int64), time=False, train=False)
    block = t * (3 * c * c + c * c + 8 * c * c) + 2 * t * t * c  # the causal mask saves nothing
    assert found.macs == layers * block + t * c * words == 145_824_153_600
    assert found.total_params == 124_439_808  # the tied weights once
    assert found["head"].params == 0 and found["wte"].params == words * c
    assert [r.path for r in found.rows[:5]] == ["", "wte", "wpe", "h", "h.0"]
