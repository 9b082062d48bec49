"""Process groups: the one that there can be, with one process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlparse

default_pg_timeout = timedelta(minutes=30)


class DistError(RuntimeError):
    """An error of a process group."""


class DistBackendError(DistError):
    """An error of what carries the messages."""


class DistNetworkError(DistError):
    """An error of the network."""


class DistStoreError(DistError):
    """An error of a store."""


class Backend(str):
    """The name of what carries messages: there are none between one process and itself, so each
    name is accepted.
    """

    UNDEFINED, GLOO, NCCL, UCC, MPI, XCCL = "undefined", "gloo", "nccl", "ucc", "mpi", "xccl"
    backend_list: ClassVar[list[str]] = [UNDEFINED, GLOO, NCCL, XCCL, UCC, MPI]

    def __new__(cls, name: str) -> Backend:
        if not isinstance(name, str):
            raise ValueError("Backend constructor parameter must be string-ish")
        return str.__new__(cls, name.lower())


class ProcessGroup:
    """Processes that talk to each other: this one."""

    def __init__(self, backend: str, name: str) -> None:
        self.backend, self.group_name = backend, name

    def rank(self) -> int:
        """0"""
        return 0

    def size(self) -> int:
        """1"""
        return 1

    def name(self) -> str:
        """Of the backend."""
        return self.backend


class _World:
    """The default group."""

    default: ProcessGroup | None = None
    made: int = 0


class GroupMember:
    """Stands for a group that this process is not in."""

    WORLD: ClassVar[ProcessGroup | None] = None
    NON_GROUP_MEMBER: ClassVar[int] = -100


class _GroupNames(type):
    @property
    def WORLD(cls) -> ProcessGroup | None:
        """The default group."""
        return _World.default


class group(metaclass=_GroupNames):
    """`group.WORLD`: the default group."""


def is_available() -> bool:
    """True: for one process."""
    return True


def is_initialized() -> bool:
    """Whether `init_process_group` was called."""
    return _World.default is not None


def is_backend_available(backend: str) -> bool:
    """Whether this backend's name carries the messages of one process: "gloo" does."""
    return backend.lower() == Backend.GLOO


def is_gloo_available() -> bool:
    """True: by its name; no message leaves the process."""
    return True


def is_nccl_available() -> bool:
    """False: it needs CUDA devices."""
    return False


is_mpi_available = is_ucc_available = is_xccl_available = is_nccl_available


def is_torchelastic_launched() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def get_default_backend_for_device(device: Any) -> str:
    """gloo"""
    return Backend.GLOO


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: timedelta | None = None,
    world_size: int = -1,
    rank: int = -1,
    store: Any = None,
    group_name: str = "",
    pg_options: Any = None,
    device_id: Any = None,
) -> None:
    """Make the default group, of this process. World size and rank come from the arguments, the
    address, or the environment (WORLD_SIZE, RANK).

    Raises ValueError if it exists or if they are not known; NotImplementedError for a world of
    more than one process.
    """
    if _World.default is not None:
        raise ValueError("trying to initialize the default process group twice!")
    name = Backend(backend if backend is not None else Backend.GLOO)
    address = parse_qs(urlparse(init_method or "env://").query)
    from_environment = store is None and (init_method is None or init_method.startswith("env"))
    size = world_size if world_size >= 0 else int(address.get("world_size", [-1])[0])
    place = rank if rank >= 0 else int(address.get("rank", [-1])[0])
    if from_environment:
        size = size if size >= 0 else _from_environment("WORLD_SIZE")
        place = place if place >= 0 else _from_environment("RANK")
    if size < 0 or place < 0:
        raise ValueError("init_process_group needs world_size and rank")
    if size != 1:
        raise NotImplementedError(
            f"init_process_group(world_size={size}): this version computes in one process. Start "
            "one, with WORLD_SIZE=1 and RANK=0 (or world_size=1, rank=0): its threads use all "
            "cores. For other processes on the same data see torch.multiprocessing and "
            "share_memory_()"
        )
    if place != 0:
        raise ValueError(f"rank {place} in a world of {size} process")
    _World.default = GroupMember.WORLD = ProcessGroup(name, group_name or "default_pg")


def _from_environment(name: str) -> int:
    if name not in os.environ:
        raise ValueError(
            f"Error initializing torch.distributed using env:// rendezvous: environment variable "
            f"{name} expected, but not set"
        )
    return int(os.environ[name])


def destroy_process_group(group: ProcessGroup | None = None) -> None:
    """Forget a group; without one, the default group."""
    if group is None or group is _World.default:
        if _World.default is None:
            raise AssertionError("there is no default process group to destroy")
        _World.default = GroupMember.WORLD = None


def check(group: Any = None) -> bool:
    """Whether this process is in the group. Raises ValueError if nothing was initialised."""
    if _World.default is None:
        raise ValueError(
            "Default process group has not been initialized, please make sure to call "
            "init_process_group."
        )
    return group is not GroupMember.NON_GROUP_MEMBER


def get_rank(group: ProcessGroup | None = None) -> int:
    """0; −1 for a group without this process."""
    return 0 if check(group) else -1


def get_world_size(group: ProcessGroup | None = None) -> int:
    """1; −1 for a group without this process."""
    return 1 if check(group) else -1


def get_backend(group: ProcessGroup | None = None) -> str:
    """The name that `init_process_group` was given."""
    check(group)
    found = group or _World.default
    assert found is not None
    return found.backend


def get_node_local_rank(fallback_rank: int | None = None) -> int:
    """LOCAL_RANK of the environment, or `fallback_rank`."""
    if "LOCAL_RANK" in os.environ:
        return int(os.environ["LOCAL_RANK"])
    if fallback_rank is not None:
        return fallback_rank
    raise RuntimeError(
        "LOCAL_RANK is not in the environment. Consider passing fallback_rank to allow "
        "`get_node_local_rank` to work, assuming you are not running in a multi-device context."
    )


def get_process_group_ranks(group: ProcessGroup | None) -> list[int]:
    """[0]"""
    check(group)
    return [0]


def get_global_rank(group: ProcessGroup, group_rank: int) -> int:
    """The rank in the default group."""
    return group_rank


def get_group_rank(group: ProcessGroup, global_rank: int) -> int:
    """The rank in the group."""
    return global_rank


def new_group(
    ranks: Sequence[int] | None = None,
    timeout: timedelta | None = None,
    backend: str | None = None,
    pg_options: Any = None,
    use_local_synchronization: bool = False,
    group_desc: str | None = None,
    device_id: Any = None,
) -> Any:
    """A group of these ranks: of 0, or one without this process."""
    check()
    wanted = [0] if ranks is None else list(ranks)
    if any(r != 0 for r in wanted):
        raise ValueError(
            "the new group's rank should be within the world_size set by init_process_group"
        )
    if not wanted:
        return GroupMember.NON_GROUP_MEMBER
    _World.made += 1
    return ProcessGroup(Backend(backend or get_backend()), f"group_{_World.made}")


def new_subgroups(
    group_size: int | None = None,
    group: ProcessGroup | None = None,
    timeout: timedelta | None = None,
    backend: str | None = None,
    pg_options: Any = None,
    group_desc: str | None = None,
) -> tuple[Any, list[Any]]:
    """(the group of this process, all of them): one."""
    if group_size not in (None, 1):
        raise ValueError(f"group_size {group_size} does not divide a world of 1 process")
    made = new_group(backend=backend)
    return made, [made]


# ------------------------------------------------------------------ stores


class Store:
    """Keys and values that the processes of a group share."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._data: dict[str, bytes] = {}

    def set(self, key: str, value: str | bytes) -> None:
        """Remember a value."""
        self._data[key] = value.encode() if isinstance(value, str) else bytes(value)

    def get(self, key: str) -> bytes:
        """A value. Raises DistStoreError if there is none: nobody else could set it."""
        if key not in self._data:
            raise DistStoreError(f"no value for {key!r}, and no other process to wait for")
        return self._data[key]

    def add(self, key: str, amount: int) -> int:
        """Add to a counter; what it is then."""
        total = int(self._data.get(key, b"0")) + amount
        self._data[key] = str(total).encode()
        return total

    def check(self, keys: list[str]) -> bool:
        """Whether all have values."""
        return all(key in self._data for key in keys)

    def wait(self, keys: list[str], timeout: timedelta | None = None) -> None:
        """Nothing if all have values. Raises DistStoreError else."""
        for key in keys:
            self.get(key)

    def num_keys(self) -> int:
        """How many there are."""
        return len(self._data)

    def delete_key(self, key: str) -> bool:
        """Forget one; whether it was there."""
        return self._data.pop(key, None) is not None


class HashStore(Store):
    """In this process."""


class TCPStore(Store):
    """By its name; one process needs no network."""

    def __init__(
        self, host_name: str, port: int, world_size: int | None = None, is_master: bool = False,
        timeout: timedelta | None = None, *args: Any, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self.host, self.port = host_name, port


class FileStore(Store):
    """By its name; one process needs no file."""


class PrefixStore(Store):
    """A store whose keys begin with a prefix."""

    def __init__(self, prefix: str, store: Store) -> None:
        super().__init__()
        self.prefix, self.underlying_store = prefix, store
