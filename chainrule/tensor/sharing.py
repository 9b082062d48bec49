"""Memory that several processes see: `share_memory_`, and how such a tensor is sent.

A shared array lies in a file of its own (in memory where the system has `/dev/shm`), which every
process maps. Its storage counts as seen from outside, as after `from_numpy`: it is read as it is
when it enters a trace, and results are written into the very memory (decision 0007). What another
process is sent is the name of the file; the process that made it removes it.
"""

from __future__ import annotations

import mmap
import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.dtypes import BY_NAME
from chainrule.tensor.handle import Parameter, Tensor, blank
from chainrule.tensor.record import contiguous_strides
from chainrule.tensor.trace import Storage, between_processes

#: Where each shared storage lies, and the storages of this process by place.
_files: weakref.WeakKeyDictionary[Storage, str] = weakref.WeakKeyDictionary()
_known: weakref.WeakValueDictionary[tuple[Any, ...], Storage] = weakref.WeakValueDictionary()


def is_shared(t: Tensor) -> bool:
    """Whether other processes can see this tensor's memory."""
    return t.storage in _files


def share_memory(t: Tensor) -> Tensor:
    """Move the tensor, and all that shares its storage, into memory that processes can share.

    >>> import chainrule as torch
    >>> x = torch.zeros(3)
    >>> x.share_memory_().is_shared()
    True
    """
    s = t.storage
    if s in _files:
        return t
    t._concrete()
    array = s.array
    assert array is not None
    path, pages = _new_file(array.nbytes)
    shared = np.frombuffer(pages, array.dtype, array.size).reshape(array.shape)
    np.copyto(shared, array)
    s.array, s.export = shared, True
    between_processes[:] = [True]
    _files[s] = path
    _known[_place(path, shared)] = s
    weakref.finalize(s, _remove, path, os.getpid())
    send_by_name()
    return t


def _new_file(size: int) -> tuple[str, mmap.mmap]:
    import tempfile  # it loads much that few programs need

    folder = "/dev/shm" if os.path.isdir("/dev/shm") else None
    number, path = tempfile.mkstemp(prefix="chainrule-", dir=folder)
    try:
        os.truncate(path, max(size, 1))
        return path, mmap.mmap(number, max(size, 1))
    finally:
        os.close(number)


def _remove(path: str, owner: int) -> None:
    if os.getpid() == owner:  # not in a copy of the process
        Path(path).unlink(missing_ok=True)


def _place(path: str, array: np.ndarray) -> tuple[Any, ...]:
    return (path, array.shape, array.strides, array.dtype.str)


def send_by_name() -> None:
    """Let `multiprocessing` send shared tensors by the names of their files, others by value."""
    from multiprocessing.reduction import ForkingPickler

    for kind in (Tensor, Parameter):
        ForkingPickler.register(kind, _reduced)


def _reduced(t: Tensor) -> Any:
    if not t.is_leaf:
        raise RuntimeError(
            "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd "
            "does not support crossing process boundaries.  If you just want to transfer the data, "
            "call detach() on the tensor before serializing (e.g., putting it on the queue)."
        )
    path = _files.get(t.storage)
    if path is None:
        return t.__reduce_ex__(4)
    array, base = t._view(), t.storage.array
    assert base is not None
    start = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    layout = (start, array.shape, array.strides, t.dtype.name)
    state = dict(vars(t)) if isinstance(t, Parameter) else {}
    return _attach, (path, layout, t.requires_grad, type(t), state)


def _attach(
    path: str, layout: tuple[Any, ...], requires_grad: bool, cls: type[Any], state: dict[str, Any]
) -> Any:
    """The tensor in this process: the same memory, and one storage for each place in it."""
    start, shape, strides, name = layout
    dtype = BY_NAME[name]
    key = (path, start, shape, strides, name)
    storage = _known.get(key)
    if storage is None:
        with open(path, "r+b") as file:
            pages = mmap.mmap(file.fileno(), 0)
        whole = np.frombuffer(pages, np.uint8)
        array = np.ndarray(shape, dtype.np, whole, start, strides)
        storage = Storage(array, None, None)
        storage.export = True
        between_processes[:] = [True]
        _files[storage] = path
        _known[key] = storage
    t = blank(cls, storage, shape, dtype)
    steps = tuple(s // dtype.itemsize for s in strides)
    t.strides = None if steps == contiguous_strides(shape) else steps
    t.level = int(requires_grad)
    if state:
        vars(t).update(state)
    return t
