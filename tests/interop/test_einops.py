"""einops knows our tensors, whether it is imported before chainrule or after it."""

import subprocess
import sys

import pytest

import chainrule as torch

einops = pytest.importorskip("einops")


def image() -> torch.Tensor:
    return torch.arange(24.0).reshape(2, 3, 4)


def test_rearrange_reduce_and_repeat():
    x = image()
    assert einops.rearrange(x, "b h w -> b (w h)").shape == (2, 12)
    assert einops.reduce(x, "b h w -> b", "mean").tolist() == [5.5, 17.5]
    assert einops.reduce(x > 3, "b h w -> b", "any").tolist() == [True, True]
    assert einops.repeat(x, "b h w -> b h w c", c=2).shape == (2, 3, 4, 2)
    assert einops.rearrange([x, x], "n b h w -> b n h w").shape == (2, 2, 3, 4)


def test_einsum_pack_and_unpack():
    x = image()
    assert torch.equal(einops.einsum(x, x, "b h w, b h w -> b"), (x * x).sum((1, 2)))
    packed, shapes = einops.pack([x, x[:, 0]], "b *")
    first, second = einops.unpack(packed, shapes, "b *")
    assert torch.equal(first, x) and torch.equal(second, x[:, 0])


def test_layers_are_modules_of_ours():
    from einops.layers.chainrule import EinMix, Rearrange, Reduce

    net = torch.nn.Sequential(
        Rearrange("b h w -> b (h w)"), torch.nn.Linear(12, 4), Reduce("b c -> b", "sum")
    )
    x = image().requires_grad_()
    net(x).sum().backward()
    assert x.grad.shape == x.shape
    mix = EinMix("b h w -> b h o", weight_shape="w o", bias_shape="o", w=4, o=5)
    assert [name for name, _ in mix.named_parameters()] == ["weight", "bias"]
    assert mix(image()).shape == (2, 3, 5)


@pytest.mark.parametrize("first", ["import einops, chainrule", "import chainrule, einops"])
def test_the_order_of_imports_does_not_matter(first):
    program = f"{first}; print(*einops.rearrange(chainrule.ones(2, 3), 'a b -> b a').shape)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["3", "2"], done.stderr


def test_nothing_is_imported_for_it():
    program = "import sys, chainrule; print('einops' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
