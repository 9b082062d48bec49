"""`torch.distributed` for one process: a group of world size 1, in which every collective is done.

Programs that start with `init_process_group` run as they are with one process. A world of more
raises NotImplementedError and says what to do: threads of one process use all cores here.

>>> import os
>>> import chainrule as torch, chainrule.distributed as dist
>>> dist.init_process_group("gloo", rank=0, world_size=1)
>>> x = torch.ones(2)
>>> dist.all_reduce(x), x, dist.get_world_size()
(None, tensor([1., 1.]), 1)
>>> dist.destroy_process_group()
"""

from chainrule import names
from chainrule.distributed.collectives import (
    P2POp,
    ReduceOp,
    Work,
    all_gather,
    all_gather_into_tensor,
    all_gather_object,
    all_reduce,
    all_reduce_coalesced,
    all_to_all,
    all_to_all_single,
    barrier,
    batch_isend_irecv,
    broadcast,
    broadcast_object_list,
    gather,
    gather_object,
    irecv,
    isend,
    monitored_barrier,
    recv,
    reduce,
    reduce_op,
    reduce_scatter,
    reduce_scatter_tensor,
    scatter,
    scatter_object_list,
    send,
)
from chainrule.distributed.group import (
    Backend,
    DistBackendError,
    DistError,
    DistNetworkError,
    DistStoreError,
    FileStore,
    GroupMember,
    HashStore,
    PrefixStore,
    ProcessGroup,
    Store,
    TCPStore,
    default_pg_timeout,
    destroy_process_group,
    get_backend,
    get_default_backend_for_device,
    get_global_rank,
    get_group_rank,
    get_node_local_rank,
    get_process_group_ranks,
    get_rank,
    get_world_size,
    group,
    init_process_group,
    is_available,
    is_backend_available,
    is_gloo_available,
    is_initialized,
    is_mpi_available,
    is_nccl_available,
    is_torchelastic_launched,
    is_ucc_available,
    is_xccl_available,
    new_group,
    new_subgroups,
)

__getattr__ = names.later(
    __name__,
    ("algorithms", "checkpoint", "device_mesh", "distributed_c10d", "elastic", "fsdp", "launch",
     "optim", "pipelining", "rpc", "run", "tensor"),
)  # fmt: skip
