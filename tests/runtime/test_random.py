"""Random numbers: published vectors, positions, streams."""

import numpy as np
import pytest

import chainrule as torch
from chainrule import dtypes, ops
from chainrule.ir.interpret import interpret
from chainrule.ops.random import blocks, philox
from chainrule.runtime import random as streams

# Known answers of philox4x32-10 from Random123's file kat_vectors: counter (4 words), key (2
# words), result (4 words).
KNOWN = [
    (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def words(text: str) -> list[int]:
    return [int(w, 16) for w in text.split()]


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_philox_gives_the_published_numbers(counter: str, key: str, result: str) -> None:
    c, k = words(counter), words(key)
    got = philox(
        k[0] | k[1] << 32, np.array([c[0] | c[1] << 32], np.uint64), stream=c[2] | c[3] << 32
    )
    assert [int(w[0]) for w in got] == words(result)


def uniform(position: int, offset: int, shape: tuple[int, ...], dtype: dtypes.DType) -> np.ndarray:
    s = ops.input(index=0, shape=(2,), dtype=dtypes.int64)
    node = ops.random_uniform(s, offset=offset, shape=shape, dtype=dtype)
    return interpret([node], {s: np.array([42, position])})[0]


@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64], ids=str)
def test_the_numbers_do_not_depend_on_how_they_are_cut(dtype: dtypes.DType) -> None:
    group = 32 if dtype is dtypes.float64 else 64
    whole = uniform(5, 0, (3 * group,), dtype)
    parts = [uniform(5, 16 * i, (group,), dtype) for i in range(3)]
    moved = [uniform(5 + 16 * i, 0, (group,), dtype) for i in range(3)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(np.concatenate(moved), whole)
    np.testing.assert_array_equal(uniform(5, 0, (7, 5), dtype).reshape(-1), whole[:35])


def test_numbers_are_dealt_in_groups_word_by_word() -> None:
    words = philox(42, np.arange(5, 5 + 32, dtype=np.uint64))
    single, double = (uniform(5, 0, (100,), d) for d in (dtypes.float32, dtypes.float64))
    for i in (0, 1, 15, 16, 40, 63, 64, 99):
        word = words[i // 16 % 4][i // 64 * 16 + i % 16]
        assert single[i] == int(word >> np.uint64(8)) * 2.0**-24
    for i in (0, 15, 16, 31, 32, 50):
        pair, block = i // 16 % 2, i // 32 * 16 + i % 16
        high, low = (int(words[2 * pair + k][block]) for k in (0, 1))
        assert double[i] == ((high << 32 | low) >> 11) * 2.0**-53


@pytest.mark.parametrize("n", [0, 1, 32, 33, 64, 65, 1000])
def test_a_draw_uses_whole_groups(n: int) -> None:
    assert blocks((n,), dtypes.float32) == blocks((n,), dtypes.float16) == -(-n // 64) * 16
    assert blocks((n,), dtypes.float64) == -(-n // 32) * 16


@pytest.mark.parametrize("dtype", [d for d in dtypes.ALL if d.is_floating_point], ids=str)
def test_uniform_numbers_lie_in_the_half_open_interval(dtype: dtypes.DType) -> None:
    u = uniform(0, 0, (50_000,), dtype).astype(np.float64)
    assert u.min() >= 0 and u.max() < 1
    assert abs(u.mean() - 0.5) < 0.01 and abs(u.var() - 1 / 12) < 0.005


def test_normal_numbers_have_the_right_moments() -> None:
    torch.manual_seed(3)
    z = torch.randn(200_001, dtype=torch.float64).numpy()
    assert (
        abs(z.mean()) < 0.01
        and abs(z.var() - 1) < 0.02
        and abs((z**3).mean()) < 0.03
        and abs((z**4).mean() - 3) < 0.1
    )
    assert np.isfinite(z).all()


def test_integers_are_uniform() -> None:
    torch.manual_seed(3)
    counts = np.bincount(torch.randint(-2, 3, (50_000,)).numpy() + 2, minlength=5)
    assert counts.sum() == 50_000 and (abs(counts - 10_000) < 500).all()


def test_a_seed_gives_the_same_numbers_whenever_they_are_computed() -> None:
    torch.manual_seed(7)
    a, b = torch.rand(5), torch.randn(3)
    together = a.tolist(), b.tolist()
    torch.manual_seed(7)
    first = torch.rand(5).tolist()
    second = torch.randn(3).tolist()
    assert (first, second) == together
    torch.manual_seed(8)
    assert torch.rand(5).tolist() != first


def test_the_order_of_looks_does_not_matter() -> None:
    torch.manual_seed(7)
    a, b = torch.rand(5), torch.rand(5)
    want = a.tolist(), b.tolist()
    torch.manual_seed(7)
    a, b = torch.rand(5), torch.rand(5)
    got_b = b.tolist()
    assert (a.tolist(), got_b) == want and want[0] != want[1]


def test_streams_do_not_disturb_each_other() -> None:
    torch.manual_seed(1)
    alone = streams.stream("dropout").numpy().random(3)
    torch.manual_seed(1)
    for name in streams.STREAMS:
        if name != "dropout":
            streams.stream(name).numpy().random(100)
    torch.rand(10).tolist()
    np.testing.assert_array_equal(streams.stream("dropout").numpy().random(3), alone)


def test_streams_of_one_seed_have_numbers_of_their_own() -> None:
    torch.manual_seed(1)
    firsts = {
        tuple(streams.stream(name).numpy().integers(0, 1 << 30, 2)) for name in streams.STREAMS
    }
    assert len(firsts) == len(streams.STREAMS)


def test_a_generator_goes_on_where_its_state_was_taken() -> None:
    g = torch.Generator().manual_seed(5)
    torch.rand(3, generator=g).tolist()
    state = g.get_state()
    a = torch.rand(4, generator=g).tolist()
    g.set_state(state)
    assert torch.rand(4, generator=g).tolist() == a
    assert g.initial_seed() == 5


def test_two_generators_with_one_seed_agree() -> None:
    g, h = torch.Generator().manual_seed(5), torch.Generator().manual_seed(5)
    a = torch.randn(4, generator=g)
    b = torch.randn(4, generator=h)
    assert a.tolist() == b.tolist()


def test_a_permutation_has_every_number_once() -> None:
    torch.manual_seed(0)
    p = torch.randperm(1000)
    assert sorted(p.tolist()) == list(range(1000)) and p.tolist() != list(range(1000))


def test_in_place_draws() -> None:
    torch.manual_seed(0)
    x = torch.empty(1000).uniform_(2, 3)
    assert x.min().item() >= 2 and x.max().item() < 3
    x.normal_(10, 0.1)
    assert abs(x.mean().item() - 10) < 0.05
    assert set(x.bernoulli_(0.5).tolist()) == {0.0, 1.0}


def test_draws_without_replacement_are_distinct() -> None:
    torch.manual_seed(0)
    p = torch.tensor([0.1, 0.0, 0.5, 0.4])
    for _ in range(20):
        assert sorted(torch.multinomial(p, 3).tolist()) == [0, 2, 3]
    many = torch.multinomial(p, 10_000, replacement=True)
    np.testing.assert_allclose(np.bincount(many.numpy(), minlength=4) / 1e4, p.numpy(), atol=0.03)
    with pytest.raises(RuntimeError, match="without replacement"):
        torch.multinomial(p, 4)
