"""A kernel of the graph as steps of a program: which Loop IR kernels run, one after another, and on
which memory.
"""

from __future__ import annotations

from typing import NamedTuple

from chainrule.schedule.loops import SIZE, Kernel


class Place(NamedTuple):
    """What a buffer of a Loop IR kernel is in the fused graph: input or output number i, temporary
    number i, from some byte on; or the integer i itself (for a buffer with the role "number").
    """

    what: str  # "input", "output", "temporary", "number"
    number: int
    offset: int = 0  # bytes


class Temporary(NamedTuple):
    """Memory between two steps of one lowered kernel."""

    kind: str
    size: int

    @property
    def bytes(self) -> int:
        return self.size * SIZE[self.kind]


class Step(NamedTuple):
    """One Loop IR kernel, what each of its buffers is, in their order, and how many iterations its
    shared loop has (a kernel that takes its length at run time has the extent 0).
    """

    kernel: Kernel
    places: tuple[Place, ...]
    extent: int


class Lowered(NamedTuple):
    """Steps in order, each after the one before it is finished."""

    steps: tuple[Step, ...]
    temporaries: tuple[Temporary, ...] = ()
