"""Nested tensors give what their elements would give one by one."""

import pytest

import chainrule as torch
from chainrule import nn
from chainrule.nn import functional as F

LENGTHS = (2, 5, 1)


def elements(dim: int = 8) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(n, dim, requires_grad=True) for n in LENGTHS]


def test_shape_and_parts() -> None:
    parts = elements()
    x = torch.nested.as_nested_tensor(parts, layout=torch.jagged)
    assert x.is_nested and x.dim() == 3 and x.size(0) == len(x) == 3 and x.numel() == 64
    assert repr(x.shape).startswith("torch.Size([3, j") and x.size(-1) == 8
    assert all(torch.equal(a, b) for a, b in zip(x.unbind(), parts, strict=True))
    assert x.offsets().tolist() == [0, 2, 7, 8] and x.values().shape == (8, 8)
    padded = x.to_padded_tensor(-1.0)
    assert padded.shape == (3, 5, 8) and (padded[2, 1:] == -1).all()


def test_a_new_nested_tensor_is_a_leaf() -> None:
    x = torch.nested.nested_tensor(elements(), layout=torch.jagged)
    assert not x.requires_grad and x.is_leaf
    y = torch.nested.nested_tensor(elements(), requires_grad=True)
    (y * 2).sum().backward()
    assert (y.grad.values() == 2).all()


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.inner, self.out = nn.LayerNorm(8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        q = self.inner(self.norm(x)).unflatten(-1, (2, 4)).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, q, q).transpose(1, 2).flatten(-2)
        return self.drop(F.gelu(self.out(y))) + x


def test_a_transformer_block_and_its_gradients() -> None:
    torch.manual_seed(1)
    block, parts, alone = Block().eval(), elements(), elements()
    together = block(torch.nested.as_nested_tensor(parts, layout=torch.jagged))
    singly = [block(x[None])[0] for x in alone]
    sum((y**2).sum() for y in together.unbind()).backward()
    mine = [p.grad.clone() for p in block.parameters()]
    block.zero_grad()
    sum((y**2).sum() for y in singly).backward()
    for a, b in zip(together.unbind(), singly, strict=True):
        assert torch.allclose(a, b, atol=1e-5)
    for a, b in zip((*mine, *(x.grad for x in parts)),
                    (*(p.grad for p in block.parameters()), *(x.grad for x in alone)),
                    strict=True):  # fmt: skip
        assert torch.allclose(a, b, atol=1e-4)


def test_sums_and_means_of_elements() -> None:
    parts = elements()
    x = torch.nested.as_nested_tensor(parts, layout=torch.jagged)
    assert torch.allclose(x.sum(1), torch.stack([p.sum(0) for p in parts]), atol=1e-6)
    assert torch.allclose(x.mean(1), torch.stack([p.mean(0) for p in parts]), atol=1e-6)
    assert torch.allclose(x.softmax(-1).values(), x.values().softmax(-1))


def test_unlike_lengths_do_not_add() -> None:
    x = torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(1, 3)], layout=torch.jagged)
    y = torch.nested.nested_tensor([torch.ones(1, 3), torch.ones(2, 3)], layout=torch.jagged)
    with pytest.raises(RuntimeError, match="lengths differ"):
        x + y
    with pytest.raises(NotImplementedError, match=r"x\.unbind\(\)"):
        x.cumsum(1)
