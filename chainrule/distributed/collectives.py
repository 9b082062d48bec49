"""What the processes of a group do together; with one process, what it does with itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from chainrule.distributed.group import ProcessGroup, check
from chainrule.tensor import Tensor, no_grad


class _Op(str):
    """How values of several processes become one."""


class ReduceOp:
    """How values of several processes become one: with one process each is that process's value."""

    SUM, AVG, PRODUCT, MIN, MAX = _Op("SUM"), _Op("AVG"), _Op("PRODUCT"), _Op("MIN"), _Op("MAX")
    BAND, BOR, BXOR = _Op("BAND"), _Op("BOR"), _Op("BXOR")


reduce_op = ReduceOp


class Work:
    """A collective that was started with async_op=True: it is done."""

    def __init__(self, result: Any = None) -> None:
        self._result = result

    def wait(self, timeout: Any = None) -> bool:
        """True"""
        return True

    def is_completed(self) -> bool:
        """True"""
        return True

    def is_success(self) -> bool:
        """True"""
        return True

    def result(self) -> Any:
        """The tensors."""
        return self._result

    def get_future(self) -> Work:
        """This, which is done."""
        return self

    def then(self, callback: Callable[[Any], Any]) -> Work:
        """What the callback makes of it."""
        return Work(callback(self))

    def value(self) -> Any:
        """The tensors."""
        return self._result


def _done(async_op: bool, result: Any = None) -> Work | None:
    return Work(result) if async_op else None


def _tensor(x: Any, name: str) -> Tensor:
    if not isinstance(x, Tensor):
        raise TypeError(
            f"Invalid function argument. Expected parameter `{name}` of type torch.Tensor\n"
            f"             but got {type(x)} instead."
        )
    return x


def _alone(rank: int | None, what: str) -> None:
    if rank not in (None, 0):
        raise ValueError(f"{what} rank {rank}: this group has one process, of rank 0")


def _copy(target: Tensor, source: Tensor) -> None:
    if target is not source:
        with no_grad():
            target.copy_(source)


def all_reduce(
    tensor: Tensor, op: str = ReduceOp.SUM, group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:  # fmt: skip
    """All processes get the sum (or what `op` says) of their tensors: this one's, unchanged."""
    check(group)
    return _done(async_op, [_tensor(tensor, "tensor")])


def all_reduce_coalesced(
    tensors: Sequence[Tensor], op: str = ReduceOp.SUM, group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:  # fmt: skip
    """`all_reduce` of several tensors."""
    check(group)
    return _done(async_op, list(tensors))


def reduce(
    tensor: Tensor, dst: int | None = None, op: str = ReduceOp.SUM,
    group: ProcessGroup | None = None, async_op: bool = False, group_dst: int | None = None,
) -> Work | None:  # fmt: skip
    """Process `dst` gets the sum: this one's tensor, unchanged."""
    check(group)
    _alone(dst, "destination")
    return _done(async_op, [_tensor(tensor, "tensor")])


def broadcast(
    tensor: Tensor, src: int | None = None, group: ProcessGroup | None = None,
    async_op: bool = False, group_src: int | None = None,
) -> Work | None:  # fmt: skip
    """All processes get the tensor of process `src`: this one's, unchanged."""
    check(group)
    _alone(src, "source")
    return _done(async_op, [_tensor(tensor, "tensor")])


def all_gather(
    tensor_list: list[Tensor], tensor: Tensor, group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:  # fmt: skip
    """All processes get the list of all tensors: of this one."""
    check(group)
    if len(tensor_list) != 1:
        raise ValueError(
            f"tensor_list needs 1 tensor, one for each process, got {len(tensor_list)}"
        )
    _copy(_tensor(tensor_list[0], "tensor_list"), _tensor(tensor, "tensor"))
    return _done(async_op, tensor_list)


def all_gather_into_tensor(
    output_tensor: Tensor, input_tensor: Tensor, group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:  # fmt: skip
    """All processes get all tensors in one: this one's."""
    check(group)
    _copy(output_tensor, input_tensor.reshape(output_tensor.shape))
    return _done(async_op, [output_tensor])


def all_gather_object(object_list: list[Any], obj: Any, group: ProcessGroup | None = None) -> None:
    """All processes get the list of all objects: of this one."""
    check(group)
    object_list[0] = obj


def gather(
    tensor: Tensor, gather_list: list[Tensor] | None = None, dst: int | None = None,
    group: ProcessGroup | None = None, async_op: bool = False, group_dst: int | None = None,
) -> Work | None:  # fmt: skip
    """Process `dst` gets the list of all tensors: of this one."""
    check(group)
    _alone(dst, "destination")
    if not gather_list:
        raise ValueError("Argument ``gather_list`` must be specified on destination rank.")
    _copy(gather_list[0], tensor)
    return _done(async_op, gather_list)


def gather_object(
    obj: Any, object_gather_list: list[Any] | None = None, dst: int | None = None,
    group: ProcessGroup | None = None, group_dst: int | None = None,
) -> None:  # fmt: skip
    """Process `dst` gets the list of all objects: of this one."""
    check(group)
    _alone(dst, "destination")
    if not object_gather_list:
        raise ValueError("Argument ``gather_list`` must be specified on destination rank.")
    object_gather_list[0] = obj


def scatter(
    tensor: Tensor, scatter_list: list[Tensor] | None = None, src: int | None = None,
    group: ProcessGroup | None = None, async_op: bool = False, group_src: int | None = None,
) -> Work | None:  # fmt: skip
    """Each process gets its tensor of the list of process `src`: the first."""
    check(group)
    _alone(src, "source")
    if not scatter_list:
        raise ValueError("Argument ``scatter_list`` must be specified on source rank.")
    _copy(tensor, scatter_list[0])
    return _done(async_op, [tensor])


def scatter_object_list(
    scatter_object_output_list: list[Any], scatter_object_input_list: list[Any] | None = None,
    src: int | None = None, group: ProcessGroup | None = None, group_src: int | None = None,
) -> None:  # fmt: skip
    """Each process gets its object of the list of process `src`: the first."""
    check(group)
    _alone(src, "source")
    if not scatter_object_input_list:
        raise ValueError("Argument ``scatter_object_input_list`` must be given on source rank.")
    scatter_object_output_list[0] = scatter_object_input_list[0]


def broadcast_object_list(
    object_list: list[Any], src: int | None = None, group: ProcessGroup | None = None,
    device: Any = None, group_src: int | None = None, use_batch: bool = False,
) -> None:  # fmt: skip
    """All processes get the objects of process `src`: this one's, unchanged."""
    check(group)
    _alone(src, "source")


def reduce_scatter(
    output: Tensor, input_list: list[Tensor], op: str = ReduceOp.SUM,
    group: ProcessGroup | None = None, async_op: bool = False,
) -> Work | None:  # fmt: skip
    """Each process gets its part of the sum: the first of the list."""
    check(group)
    _copy(output, input_list[0])
    return _done(async_op, [output])


def reduce_scatter_tensor(
    output: Tensor, input: Tensor, op: str = ReduceOp.SUM, group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:  # fmt: skip
    """Each process gets its part of the sum: all of it."""
    check(group)
    _copy(output, input.reshape(output.shape))
    return _done(async_op, [output])


def all_to_all(
    output_tensor_list: list[Tensor], input_tensor_list: list[Tensor],
    group: ProcessGroup | None = None, async_op: bool = False,
) -> Work | None:  # fmt: skip
    """Process i gets the i-th tensor of each: the first of this one."""
    check(group)
    _copy(output_tensor_list[0], input_tensor_list[0])
    return _done(async_op, output_tensor_list)


def all_to_all_single(
    output: Tensor, input: Tensor, output_split_sizes: list[int] | None = None,
    input_split_sizes: list[int] | None = None, group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:  # fmt: skip
    """Process i gets the i-th part of each tensor: all of this one's."""
    check(group)
    _copy(output, input)
    return _done(async_op, [output])


def barrier(
    group: ProcessGroup | None = None, async_op: bool = False, device_ids: Any = None
) -> Work | None:
    """Wait for all processes: they are here."""
    check(group)
    return _done(async_op)


def monitored_barrier(
    group: ProcessGroup | None = None, timeout: Any = None, wait_all_ranks: bool = False
) -> None:
    """Wait for all processes: they are here."""
    check(group)


# ------------------------------------------------------------------ from one to another


def _to_itself(*_: Any, **__: Any) -> NoReturn:
    check()
    raise ValueError(
        "Invalid destination rank: destination rank should not be the same as the rank of the "
        "current process. There is one process"
    )


def send(
    tensor: Tensor, dst: int | None = None, group: ProcessGroup | None = None, tag: int = 0,
    group_dst: int | None = None,
) -> None:  # fmt: skip
    """Raises ValueError: there is no other process."""
    _to_itself()


def isend(
    tensor: Tensor, dst: int | None = None, group: ProcessGroup | None = None, tag: int = 0,
    group_dst: int | None = None,
) -> Work | None:  # fmt: skip
    """Raises ValueError: there is no other process."""
    _to_itself()


def recv(
    tensor: Tensor, src: int | None = None, group: ProcessGroup | None = None, tag: int = 0,
    group_src: int | None = None,
) -> int:  # fmt: skip
    """Raises ValueError: there is no other process."""
    _to_itself()


def irecv(
    tensor: Tensor, src: int | None = None, group: ProcessGroup | None = None, tag: int = 0,
    group_src: int | None = None,
) -> Work | None:  # fmt: skip
    """Raises ValueError: there is no other process."""
    _to_itself()


class P2POp:
    """`isend` or `irecv`, to be called later."""

    def __init__(
        self, op: Callable[..., Any], tensor: Tensor, peer: int | None = None,
        group: ProcessGroup | None = None, tag: int = 0, group_peer: int | None = None,
    ) -> None:  # fmt: skip
        self.op, self.tensor, self.peer, self.group, self.tag = op, tensor, peer, group, tag


def batch_isend_irecv(p2p_op_list: list[P2POp]) -> list[Work]:
    """Call each."""
    return [p.op(p.tensor, p.peer, p.group, p.tag) for p in p2p_op_list]
