"""Functions that few programs call."""

import numpy as np
import pytest

import chainrule as torch


def test_copies_of_views_share_no_memory() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    for y in (
        torch.t_copy(x), torch.view_copy(x, 6), torch.permute_copy(x, (1, 0)),
        torch.narrow_copy(x, 1, 0, 2), torch.diagonal_copy(x), torch.unbind_copy(x)[0],
        torch.split_with_sizes_copy(x, [1, 2], 1)[1], torch.unfold_copy(x, 1, 2, 1),
    ):  # fmt: skip
        y.fill_(9)
    assert torch.equal(x, torch.arange(6.0).reshape(2, 3))


def test_histograms_agree_with_numpy() -> None:
    x = np.random.default_rng(0).standard_normal((50, 2)).astype(np.float32)
    for density in (False, True):
        got = torch.histogram(torch.tensor(x), 7, range=(-2.0, 2.0), density=density)
        want = np.histogram(x, 7, (-2, 2), density=density)
        np.testing.assert_allclose(got.hist, want[0], rtol=1e-5)
        np.testing.assert_allclose(got.bin_edges, want[1], atol=1e-6)
        hist, edges = torch.histogramdd(torch.tensor(x), [3, 4], density=density)
        want, _ = np.histogramdd(x, [3, 4], density=density)
        np.testing.assert_allclose(hist, want, rtol=1e-5)
        assert [len(e) for e in edges] == [4, 5]


@pytest.mark.parametrize("order", [1, 2])
def test_numerical_gradients_agree_with_numpy(order) -> None:
    x = torch.tensor(np.random.default_rng(0).standard_normal((5, 6)))
    at = torch.tensor([0.0, 1.0, 1.5, 4.0, 4.5], dtype=torch.float64)
    got = torch.gradient(x, spacing=(at, 0.5), edge_order=order)
    want = np.gradient(x.numpy(), at.numpy(), 0.5, edge_order=order)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a.numpy(), b)


def test_numbers_as_they_are_written() -> None:
    m, e = torch.frexp(torch.tensor([0.0, 3.0, -0.1]))
    assert m.tolist() == pytest.approx([0.0, 0.75, -0.8]) and e.tolist() == [0, 2, -3]
    assert torch.nextafter(torch.tensor(1.0), torch.tensor(2.0)).item() == 1 + 2**-23


def test_shapes_that_are_known_beforehand() -> None:
    x = torch.tensor([[0, 1], [2, 0]])
    assert torch.nonzero_static(x, size=3).tolist() == [[0, 1], [1, 0], [-1, -1]]
    assert torch.constant_pad_nd(x, (1, -1), 7).tolist() == [[7, 0], [7, 2]]
    assert torch.fill(x, 5).tolist() == [[5, 5], [5, 5]] and x[0, 0] == 0


def test_geometric_numbers_have_their_mean() -> None:
    torch.manual_seed(0)
    x = torch.empty(20000).geometric_(0.25)
    assert x.min() == 1 and x.mean().item() == pytest.approx(4, rel=0.03)
