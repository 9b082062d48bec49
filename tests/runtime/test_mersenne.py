"""With `config.random = "mt19937"`, numbers are PyTorch's: the literals below are what it draws."""

import numpy as np
import pytest

import chainrule as torch
from chainrule import config
from chainrule.runtime import random
from chainrule.utils.data import DataLoader, Dataset, TensorDataset


@pytest.fixture(autouse=True)
def twisted(monkeypatch):
    monkeypatch.setattr(config, "random", "mt19937")
    torch.manual_seed(3)


def drawn(x):
    return [round(v, 4) for v in x.flatten().tolist()]


def test_draws_are_those_of_pytorch():
    assert drawn(torch.randperm(10)) == [6, 0, 3, 7, 8, 5, 1, 9, 2, 4]
    torch.manual_seed(3)
    assert drawn(torch.randint(0, 100, (6,))) == [86, 48, 37, 67, 60, 80]
    torch.manual_seed(3)
    assert drawn(torch.randn(3, 3)) == [
        0.8033, 0.1748, 0.0890, -0.6137, 0.0462, -1.3683, 0.3375, 1.0111, -1.4352
    ]  # fmt: skip
    torch.manual_seed(3)
    assert drawn(torch.randn(4, 4).T)[:4] == [-0.0766, 0.6648, -0.0517, 0.9132]
    torch.manual_seed(3)
    assert drawn(torch.empty(6).exponential_())[:3] == [0.0347, 0.3379, 1.4824]


def test_dropout_and_multinomial_go_on_in_the_same_sequence():
    torch.manual_seed(3)
    torch.empty(6).bernoulli_(0.3)
    assert drawn(torch.nn.functional.dropout(torch.ones(6), 0.5)) == [2, 2, 2, 0, 2, 0]
    torch.manual_seed(3)
    p = torch.tensor([0.1, 0.2, 0.3, 0.4])
    assert [drawn(torch.multinomial(p, n)) for n in (1, 3)] == [[0], [2, 3, 1]]
    assert drawn(torch.multinomial(p, 5, replacement=True)) == [2, 3, 1, 2, 2]


def test_a_loader_of_its_own_generator_disturbs_nobody():
    def rest(generator):
        torch.manual_seed(1)
        list(DataLoader(TensorDataset(torch.arange(4)), shuffle=True, generator=generator))
        return torch.rand(1).item()

    alone, beside = rest(torch.Generator().manual_seed(0)), rest(None)
    torch.manual_seed(1)
    assert alone == torch.rand(1).item() != beside


def test_every_worker_of_a_loader_draws_from_a_seed_of_its_own():
    class Noise(Dataset):
        def __len__(self):
            return 6

        def __getitem__(self, index):
            return torch.rand(())

    batches = DataLoader(Noise(), batch_size=2, num_workers=2)  # 0 and 2 are of the first worker
    assert [drawn(b) for b in batches] == [[0.2876, 0.6863], [0.747, 0.829], [0.602, 0.6949]]
    assert drawn(torch.rand(1)) == [0.2858]


def test_a_state_that_was_taken_gives_the_same_numbers_again():
    torch.randn(3)  # leaves the second half of a pair behind
    before = random.get_state()
    first = torch.randn(5).numpy(), torch.rand(2).numpy()
    random.set_state(before)
    np.testing.assert_array_equal(torch.randn(5).numpy(), first[0])
    np.testing.assert_array_equal(torch.rand(2).numpy(), first[1])


def test_numbers_that_do_not_exist_are_refused(monkeypatch):
    monkeypatch.setattr(config, "random", "torch")
    for draw in (lambda: torch.rand(2), lambda: torch.nn.functional.dropout(torch.ones(3), 0.5)):
        with pytest.raises(ValueError, match="'philox' or 'mt19937'"):
            draw()
