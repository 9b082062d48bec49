"""A world of one process: programs that start a group run, and collectives are done."""

import pytest

import chainrule as torch
import chainrule.distributed as dist
from chainrule import nn
from chainrule.nn.parallel import DistributedDataParallel
from chainrule.utils.data.distributed import DistributedSampler


@pytest.fixture
def group():
    dist.init_process_group("gloo", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_who_is_there(group) -> None:
    assert dist.is_available() and dist.is_initialized()
    assert (dist.get_rank(), dist.get_world_size(), dist.get_backend()) == (0, 1, "gloo")
    other = dist.new_group([0])
    assert dist.get_world_size(other) == 1
    assert dist.get_rank(dist.new_group([])) == -1


def test_collectives(group) -> None:
    x = torch.tensor([1.0, 2.0])
    work = dist.all_reduce(x, op=dist.ReduceOp.SUM, async_op=True)
    assert work.wait() and x.tolist() == [1.0, 2.0]
    dist.broadcast(x, src=0)
    dist.reduce(x, 0)
    dist.barrier()
    out = [torch.zeros(2)]
    dist.all_gather(out, x)
    assert out[0].tolist() == [1.0, 2.0]
    whole = torch.zeros(1, 2)
    dist.all_gather_into_tensor(whole, x)
    assert whole.tolist() == [[1.0, 2.0]]
    part = torch.zeros(2)
    dist.scatter(part, [x], src=0)
    assert part.tolist() == [1.0, 2.0]
    objects = [None]
    dist.all_gather_object(objects, {"a": 1})
    assert objects == [{"a": 1}]
    with pytest.raises(ValueError, match="same as the rank"):
        dist.send(x, 0)
    with pytest.raises(ValueError, match="rank 1"):
        dist.broadcast(x, src=1)


def test_training_with_a_wrapped_model(group) -> None:
    torch.manual_seed(0)
    plain = nn.Linear(2, 1)
    model = DistributedDataParallel(plain)
    assert list(model.state_dict()) == ["module.weight", "module.bias"] and model.module is plain
    sampler = DistributedSampler(range(6), shuffle=False)
    assert list(sampler) == list(range(6))
    with model.no_sync():
        model(torch.ones(1, 2)).sum().backward()
    assert plain.weight.grad.tolist() == [[1.0, 1.0]]
    with pytest.raises(RuntimeError, match="require a gradient"):
        DistributedDataParallel(nn.ReLU())


def test_without_a_group() -> None:
    assert not dist.is_initialized() and dist.group.WORLD is None
    with pytest.raises(ValueError, match="not been initialized"):
        dist.get_rank()
    with pytest.raises(ValueError, match="not been initialized"):
        DistributedSampler(range(3))


def test_more_processes_are_refused_with_the_way_out(monkeypatch) -> None:
    with pytest.raises(NotImplementedError, match="WORLD_SIZE=1"):
        dist.init_process_group("nccl", rank=0, world_size=2)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(ValueError, match="WORLD_SIZE expected"):
        dist.init_process_group("gloo")
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setenv("RANK", "0")
    dist.init_process_group("gloo", init_method="env://")
    with pytest.raises(ValueError, match="twice"):
        dist.init_process_group("gloo")
    dist.destroy_process_group()


def test_data_parallel_runs_its_module() -> None:
    model = nn.DataParallel(nn.Linear(2, 3))
    assert model(torch.ones(4, 2)).shape == (4, 3)
    assert list(model.state_dict()) == ["module.weight", "module.bias"]
    parts = nn.parallel.scatter((torch.arange(4), {"a": 1}), [0, 1])
    assert [p[0].tolist() for p in parts] == [[0, 1], [2, 3]] and parts[0][1] == {"a": 1}
    assert nn.parallel.gather([torch.ones(2), torch.zeros(1)], "cpu").tolist() == [1.0, 1.0, 0.0]
