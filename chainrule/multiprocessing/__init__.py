"""`torch.multiprocessing`: Python's `multiprocessing`, whose queues and processes take tensors.

A tensor after `share_memory_()` is the same memory in all processes; any other arrives as a copy.
"""

import multiprocessing as _multiprocessing
from multiprocessing import *  # noqa: F403  the names of the module that this one stands for

from chainrule import names
from chainrule.multiprocessing.processes import (
    ProcessContext,
    ProcessException,
    ProcessExitedException,
    ProcessRaisedException,
    SpawnContext,
    spawn,
    start_processes,
)
from chainrule.tensor.sharing import send_by_name

__all__ = [
    *_multiprocessing.__all__,
    "ProcessContext",
    "ProcessException",
    "ProcessExitedException",
    "ProcessRaisedException",
    "SpawnContext",
    "get_all_sharing_strategies",
    "get_sharing_strategy",
    "set_sharing_strategy",
    "spawn",
    "start_processes",
]

send_by_name()

__getattr__ = names.later(__name__)


def get_all_sharing_strategies() -> set[str]:
    """The one that there is."""
    return {"file_system"}


def get_sharing_strategy() -> str:
    """file_system: a shared tensor is known to other processes by the name of a file."""
    return "file_system"


def set_sharing_strategy(new_strategy: str) -> None:
    """Accepted for the strategies of PyTorch: a program behaves alike under each."""
    if new_strategy not in ("file_system", "file_descriptor"):
        raise AssertionError(f"unknown sharing strategy {new_strategy!r}")
