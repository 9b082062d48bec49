"""How elements lie in memory, as programs name it: `torch.strided`, `torch.channels_last`.

>>> from chainrule.layouts import strided
>>> strided
torch.strided
"""

from __future__ import annotations


class _Named:
    """A name that is equal to itself only."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"torch.{self._name}"

    def __reduce__(self) -> str:
        return self._name


class layout(_Named):
    """Dense with strides, or one of the sparse forms."""


class memory_format(_Named):
    """In which order axes stand in memory."""


strided = layout("strided")
sparse_coo = layout("sparse_coo")
sparse_csr = layout("sparse_csr")
sparse_csc = layout("sparse_csc")
sparse_bsr = layout("sparse_bsr")
sparse_bsc = layout("sparse_bsc")
jagged = layout("jagged")

contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
