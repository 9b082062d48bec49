"""Processes share what `share_memory_` was called on, and errors come back with their traceback."""

import pytest

import chainrule as torch
from chainrule import multiprocessing as mp
from chainrule import nn

pytestmark = pytest.mark.timeout(120)


def add_rank(rank: int, x: torch.Tensor, out: torch.Tensor) -> None:
    x[rank] += rank + 1
    out.copy_(x.sum())


def train(rank: int, model: nn.Module) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.ones(4, 2)).sum().backward()
        optimizer.step()


def fail(rank: int) -> None:
    raise ValueError(f"no luck in {rank}")


def test_what_another_process_writes_meanwhile_is_kept() -> None:
    """Hogwild: a step adds to the parameters as they are, not as they were when it began."""
    p = nn.Parameter(torch.zeros(2).share_memory_())
    memory = p.detach().numpy()  # written to here as another process would
    optimizer = torch.optim.SGD([p], lr=1.0)
    (p * torch.tensor([1.0, 2.0])).sum().backward()
    memory += 10.0
    optimizer.step()
    assert p.tolist() == [9.0, 8.0]
    x = torch.zeros(3).share_memory_()
    y = x + 1
    x.detach().numpy()[2] = 5.0
    x[0] = 7.0
    assert x.tolist() == [7.0, 0.0, 5.0] and y.shape == (3,)


def answer(queue, back) -> None:
    x = queue.get()
    back.put({"sum": x.sum(), "twice": 2 * x})


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_processes_write_into_one_memory(method: str) -> None:
    x, out = torch.zeros(2).share_memory_(), torch.zeros(()).share_memory_()
    assert x.is_shared() and not torch.zeros(2).is_shared()
    mp.start_processes(add_rank, (x, out), nprocs=2, start_method=method)
    assert x.tolist() == [1.0, 2.0] and out.item() in (1.0, 2.0, 3.0)


def test_a_shared_model_is_trained_by_others() -> None:
    model = nn.Linear(2, 1, bias=False).share_memory()
    before = model.weight.detach().clone()
    mp.spawn(train, (model,), nprocs=1)
    assert torch.allclose(model.weight, before - 3 * 0.5 * 4)


def test_tensors_go_through_queues() -> None:
    context = mp.get_context("spawn")
    queue, back = context.Queue(), context.Queue()
    process = context.Process(target=answer, args=(queue, back))
    process.start()
    queue.put(torch.tensor([1.0, 2.0]))
    got = back.get(timeout=60)
    process.join()
    assert got["sum"].item() == 3 and got["twice"].tolist() == [2.0, 4.0]


def test_views_are_of_the_same_memory() -> None:
    x = torch.zeros(3, 2).share_memory_()
    mp.start_processes(fill_view, (x.t()[1], x), nprocs=1, start_method="spawn")
    assert x.tolist() == [[0.0, 5.0], [0.0, 5.0], [7.0, 5.0]]


def fill_view(rank: int, column: torch.Tensor, whole: torch.Tensor) -> None:
    column.fill_(5.0)
    whole[2, 0] = 7.0


def test_the_error_of_a_process_is_the_error_of_spawn() -> None:
    with pytest.raises(mp.ProcessRaisedException, match="no luck in 0") as caught:
        mp.spawn(fail, nprocs=1)
    assert caught.value.error_index == 0 and "Traceback" in str(caught.value)
