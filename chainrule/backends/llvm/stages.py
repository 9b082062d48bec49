"""What becomes of the kernels of a program, as text."""

from __future__ import annotations

import time
from collections.abc import Sequence

from chainrule.backends.llvm.code import assembly as assembly_of
from chainrule.backends.llvm.emit import emit
from chainrule.backends.llvm.target import host
from chainrule.ir.node import Node
from chainrule.rewrite.fuse import fuse, print_fused
from chainrule.rewrite.homes import is_leaf
from chainrule.schedule.evaluate import Unsupported
from chainrule.schedule.loops import Kernel
from chainrule.schedule.lower import lower
from chainrule.schedule.plan import HostStep, NativeStep, Plan, Slot, Work, plan
from chainrule.schedule.text import print_kernel


def stages(nodes: Sequence[Node], *, llvm: bool = False, assembly: bool = False) -> list[str]:
    """Kernels, loops, order and places, at will LLVM IR and assembly, each under its heading."""
    parts = []
    start = time.perf_counter()
    kernels = fuse(nodes)
    spent = _ms(start)
    parts.append(
        f"── fuse: primitives become {len(kernels)} kernels ({spent})\n{print_fused(kernels)}"
    )
    start = time.perf_counter()
    works, loops = [], []
    for k in kernels:
        try:
            works.append(Work(k, lower(k, host())))
        except Unsupported as e:
            works.append(Work(k, None))
            loops.append(f"# on the host: {e}")
    unique = {id(s.kernel): s.kernel for w in works if w.lowered for s in w.lowered.steps}
    loops.extend(print_kernel(k) for k in unique.values())
    parts.append(f"── lower, vectorise: kernels become loops ({_ms(start)})\n" + "\n\n".join(loops))
    start = time.perf_counter()
    made = plan(works, [n for n in nodes if not is_leaf(n)])
    parts.append(f"── plan: an order, and places ({_ms(start)})\n{print_plan(made)}")
    if llvm:
        parts.append("── emit: loops become LLVM IR\n" + "\n".join(_texts(unique.values())))
    if assembly:
        texts = [assembly_of(t, host()) for t in _texts(unique.values())]
        parts.append("── assembly\n" + "\n".join(texts))
    return parts


def print_plan(made: Plan) -> str:
    """Steps in order: `a` are arrays, `+` bytes of the arena; | before what waits."""
    lines = [f"arrays {len(made.arrays)}, arena {made.arena} bytes"]
    for s in made.steps:
        if isinstance(s, HostStep):
            reads, makes = (", ".join(f"a{i}" for i in x) for x in (s.reads, s.makes))
            lines.append(f"| {makes} = host {s.fused.graph.outputs[0].op.name}({reads})")
        else:
            lines.append(_step(s))
    return "\n".join(lines)


def _step(s: NativeStep) -> str:
    names = []
    for a, buffer in zip(s.args, s.kernel.buffers, strict=True):
        if not isinstance(a, Slot):
            names.append(str(a))
            continue
        place = f"+{a.offset}" if a.array < 0 else f"a{a.array}"
        if a.array >= 0 and a.offset:
            place += f"+{a.offset}"
        names.append(f"{buffer.role} {place}")
    chunks = -(-s.extent // max(s.grain, 1))
    mark = "|" if s.wait else " "
    return f"{mark} {s.kernel.name}({', '.join(names)}) over {s.extent} in {chunks}"


def _texts(kernels: Sequence[Kernel] | object) -> list[str]:
    assert hasattr(kernels, "__iter__")
    return [emit(k, host()) for k in kernels]


def _ms(start: float) -> str:
    return f"{(time.perf_counter() - start) * 1e3:.2f} ms"
