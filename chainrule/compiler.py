"""The table of contents: every stage from a recorded graph to something that runs, and what holds
after it.

stage          what it does                                       what holds afterwards
─────          ────────────                                       ─────────────────────
(recorded)     ops as the user wrote them, gradients derived      typed, acyclic
decompose      composites become their formulas                   primitives only, and attention
                                                                  where `claims` holds
share_rows     attention gives its gradient the sums of rows      as before
merge_loops    loops that others contain are dropped              as before
fold           arithmetic on constants is done                    as before
simplify       identities and double moves go                     no stop_gradient, copy, boundary
hoist          sums that loops only collect come after them       as before
convolve       gradients of convolutions become convolutions      as before
reduce_once    reductions in two forms are one                    as before
fuse           primitives become kernels                          every node in a kernel
lower          kernels become loops                               Loop IR, or a step of the host
vectorise      loops become loops over vectors                    Loop IR
plan           kernels get an order, values get places            steps, with waits
emit           loops become LLVM IR, and machine code             runs

The reference backend needs decompose, merge_loops, fold and simplify only. It also computes what is
too small to be compiled: a graph of few, small nodes (`TINY`). Both give the same numbers but for
rounding, and which of them computes a graph depends on the graph alone, so that a program that is
run again gives the same bits. What was computed before counts as well, and never a clock: a very
long graph of small nodes (the first values of a network) is compiled when it comes for the second
time; and where graphs differ in their sizes only (a text that grows word by word), the third
and those after it are left to the reference until that took as long as compiling would
(`patience`).
"""

from __future__ import annotations

import importlib
import itertools
import logging
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from chainrule import config
from chainrule.backends import reference

# PyTorch's advice to its compiler has this address: `torch.compiler.disable`, …
from chainrule.compiling import allow_in_graph as allow_in_graph
from chainrule.compiling import assume_constant_result as assume_constant_result
from chainrule.compiling import cudagraph_mark_step_begin as cudagraph_mark_step_begin
from chainrule.compiling import disable as disable
from chainrule.compiling import is_compiling as is_compiling
from chainrule.compiling import is_dynamo_compiling as is_dynamo_compiling
from chainrule.compiling import is_exporting as is_exporting
from chainrule.compiling import list_backends as list_backends
from chainrule.compiling import reset as reset
from chainrule.compiling import set_stance as set_stance
from chainrule.errors import ChainruleError, DeviceError
from chainrule.ir.graph import count_elements, topological
from chainrule.ir.interpret import below
from chainrule.ir.node import Node
from chainrule.ir.text import print_graph, print_type
from chainrule.ir.verify import verify
from chainrule.rewrite import (
    claims,
    convolve,
    decompose,
    fold,
    hoist,
    merge_loops,
    reduce_once,
    share_rows,
    simplify,
)

Pass = Callable[[Sequence[Node]], list[Node]]

log = logging.getLogger("chainrule.compiler")


class Stage(NamedTuple):
    """A pass, in a sentence, and whether only primitives are left after it."""

    run: Pass
    says: str
    primitive: bool


def decompose_but_attention(outputs: Sequence[Node]) -> list[Node]:
    """`decompose`, but for what the compiled backend claims whole."""
    return decompose(outputs, claims)


_SIMPLER: tuple[Stage, ...] = (
    Stage(merge_loops, "loops that others contain are dropped", True),
    Stage(fold, "arithmetic on constants is done", True),
    Stage(simplify, "identities and double moves go", True),
)

STAGES: tuple[Stage, ...] = (
    Stage(decompose, "composites become their formulas", True),
    *_SIMPLER,
)


#: The same for the compiled backend, which has kernels for large attention.
CLAIMED: tuple[Stage, ...] = (
    Stage(decompose_but_attention, "composites become formulas, but for large attention", False),
    Stage(share_rows, "attention gives its gradient the sums of rows", False),
    *(s._replace(primitive=False) for s in _SIMPLER),
)

#: What the compiled backend does to the graph beyond that.
NATIVE: tuple[Stage, ...] = (
    Stage(hoist, "sums that loops only collect come after them", False),
    Stage(convolve, "gradients of convolutions become convolutions", False),
    Stage(reduce_once, "reductions in two forms are one", False),
)

#: A graph of so few nodes that compute, and so few elements in all, is not worth compiling before
#: it has run so often (with `config.patience` 0: ever).
TINY, OFTEN = (12, 4096), 256

#: Check the graph after every stage (tests turn it on; it costs as much as compiling).
verify_stages = False

#: How many programs were built (a test counts them).
built = 0

_NOTHING: Mapping[int, int] = MappingProxyType({})


def primitives(outputs: Sequence[Node]) -> list[Node]:
    """The stages that all backends share, to the end."""
    return _through(STAGES, outputs)


def _through(stages: Sequence[Stage], outputs: Sequence[Node]) -> list[Node]:
    nodes = list(outputs)
    for stage in stages:
        nodes = stage.run(nodes)
        if verify_stages:
            verify(nodes, primitive=stage.primitive)
    return nodes


def compile(outputs: Sequence[Node]) -> Program:
    """What runs: the stages that all backends share come when they are needed."""
    global built
    built += 1
    return Program(outputs)


def native(outputs: Sequence[Node]) -> Callable[..., list[np.ndarray]]:
    """Machine code for a graph, whether that pays or not: (arrays, donated) → values. Its `plan`
    says what runs in which order, and where everything lies.

    Raises DeviceError where there is no compiler.
    """
    made: Callable[..., list[np.ndarray]] = _native(_through(CLAIMED, outputs))
    return made


def _shared() -> tuple[Stage, ...]:
    return CLAIMED if config.backend == "llvm" else STAGES


class Program:
    """What was recorded, as something that runs: by the reference, at its first run perhaps without
    any plan, or as machine code. `config` says which; otherwise it is a question of what pays.
    """

    __slots__ = (
        "_broken", "_left", "_native", "_nodes", "_plain", "_restarts", "_runs", "_since",
        "recorded",
    )  # fmt: skip

    def __init__(self, outputs: Sequence[Node]) -> None:
        self.recorded = tuple(outputs)
        self._nodes: tuple[Node, ...] | None = None
        self._native: Any = None
        self._plain: reference.Executable | None = None
        self._broken = False  # the compiler made a mistake
        self._runs = -1  # so many are the reference's; not known yet: -1
        self._since = self._left = -1  # which beginning they are counted from, and what is left
        self._restarts = 0

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The graph of primitives, and of what the compiled backend claims."""
        if self._nodes is None:
            self._nodes = tuple(_through(_shared(), self.recorded))
        return self._nodes

    def __call__(
        self, arrays: Sequence[np.ndarray], donated: Mapping[int, int] = _NOTHING
    ) -> list[np.ndarray]:
        """Values of the outputs, as `programs.run` describes them."""
        if config.backend == "llvm":
            order = None
            if self._runs < 0:
                order = topological(self.recorded, below=below)
                self._runs = _runs_before(self.recorded, order)
            if not (self._broken or self._waits()):
                if self._native is None:
                    self._compile()
                if self._native is not None:
                    values: list[np.ndarray] = self._native(arrays, donated)
                    return values
            if order is not None and config.patience:  # it may never come again: no plan
                return _alone(reference.run_once(self.recorded, order, arrays), arrays)
        elif config.backend not in ("llvm", "reference"):
            raise ChainruleError(
                f"config.backend is {config.backend!r}: choose 'llvm' or 'reference' (the "
                "environment variable CHAINRULE_BACKEND says what it is at first)"
            )
        return self._by_reference(arrays)

    def _waits(self) -> bool:
        """Whether the reference computes this run, because there may not be many.

        The reference and machine code round differently, so what comes after `manual_seed` must not
        depend on what ran before it: runs are counted from there. A program that seeds again and
        again (in every step, say) is compiled all the same.
        """
        if not config.patience:
            return self._runs == OFTEN
        if self._since != _beginnings:
            self._restarts += self._left > 0
            if self._restarts > RESTARTS and self._runs != OFTEN:
                self._runs = 0
            self._since, self._left = _beginnings, self._runs
        self._left -= 1
        return self._left >= 0

    def _compile(self) -> None:
        try:
            self._native = _native(self.nodes)
            self._plain = None
        except (DeviceError, MemoryError):
            raise
        except Exception as e:  # a mistake of the compiler: slow is better than not at all
            self._broken = True
            warnings.warn(
                f"a program was not compiled and will run slowly, because of {type(e).__name__}: "
                f"{e}. This is a mistake of chainrule's: please report it.",
                RuntimeWarning,
                stacklevel=2,
            )

    @property
    def computed(self) -> list[str]:
        """The names of the ops that a run computes."""
        return [n.op.name for n in topological(self.nodes) if n.op.name not in ("input", "const")]

    def _by_reference(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        if self._plain is None:
            self._plain = reference.build(self.nodes)
        with np.errstate(all="ignore"):
            return _alone(self._plain(arrays), arrays)


def _alone(values: list[np.ndarray], arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Values that share memory with nothing."""
    taken = {id(a) for a in arrays}
    for i, v in enumerate(values):
        if v.base is not None or id(v) in taken or not v.flags.c_contiguous:
            values[i] = v = np.array(v, order="C", copy=True)
        taken.add(id(v))
    return values


#: So often may a program begin anew before its runs by the reference are over.
RESTARTS = 32
#: How often programs began anew (`restart`).
_beginnings = 0


def restart() -> None:
    """Count runs from here: a program that is seeded again computes bit for bit the same again."""
    global _beginnings
    _beginnings += 1


def _runs_before(outputs: Sequence[Node], order: Sequence[Node]) -> int:
    """How many runs of a new program are left to the reference. `order`: all its nodes, with the
    formulas of composites.
    """
    if is_tiny(order):
        return OFTEN
    soon, whole = patience(order)
    return min(whole if whole > 0 and _is_moving(outputs) else soon, config.patience)


def is_tiny(order: Sequence[Node]) -> bool:
    """Whether compiling would take as long as very many runs of the reference."""
    most, elements = TINY
    count = total = 0
    for n in order:
        if n.op.name in ("const", "item") or not n.op.is_primitive:
            continue
        total += count_elements(n)
        if n.op.name != "input":
            count += 1
        if n.op.name == "contract":
            a, b = (count_elements(i) for i in n.inputs)
            total += int((a * b * max(count_elements(n), 1)) ** 0.5)  # its multiplications
        if n.op.name == "scan":
            body = n.attr("body")
            length = n.inputs[n.attr("carries")].shape[0]
            total += length * sum(count_elements(i) for i in topological(body.outputs))
            count += length
        if count > most or total > elements:
            return False
    return True


#: What things take, in microseconds: compiling a node; by the reference, a node, an element of an
#: array, and a product of a matrix multiplication or of anything else that is summed.
COMPILED, NODE, ELEMENT, MULTIPLIED, SUMMED = 1000.0, 6.0, 0.002, 0.00005, 0.003
#: As long as these: random numbers, whose place in their stream makes each a kernel of its own (the
#: first values of a network), to compile, and an element of them.
DRAWN, DRAW = 30_000.0, 0.035
#: So many runs by the reference must take less than so long (or than a tenth of compiling), or a
#: program is compiled at once.
CHEAP, SOON = 4, 50_000.0


def patience(order: Sequence[Node]) -> tuple[int, int]:
    """How many runs of a graph are left to the reference, because all of them take no time that
    anybody would notice; and how many take as long as compiling.
    """
    compiled = run = 0.0
    for n in order:
        if n.op.name in ("const", "input", "item") or not n.op.is_primitive:
            continue
        drawn = n.op.name == "random_uniform"
        compiled += DRAWN if drawn else COMPILED
        run += NODE + (DRAW if drawn else ELEMENT) * count_elements(n)
        if n.op.name == "contract":
            a, b = (count_elements(i) for i in n.inputs)
            products = (a * b * max(count_elements(n), 1)) ** 0.5
            plain = all(i.op.name != "windows" for i in n.inputs)
            run += products * (MULTIPLIED if plain else SUMMED)
        if n.op.name == "scan":
            inside = topological(n.attr("body").outputs)
            length = n.inputs[n.attr("carries")].shape[0]
            run += length * sum(NODE + ELEMENT * count_elements(i) for i in inside)
    soon = int(min(compiled, max(SOON, compiled / 10)) / max(run, 1.0))
    return soon if soon >= CHEAP else 0, int(compiled / max(run, 1.0))


def _llvm() -> Any:
    """The native backend: imported when the first program is compiled."""
    return importlib.import_module("chainrule.backends.llvm.execute")


def planned(outputs: Sequence[Node]) -> Any:
    """The plan of a graph's machine code (`chainrule.schedule.plan.Plan`), without making any."""
    return _llvm().planned(_through(NATIVE, _through(CLAIMED, outputs)))


def peak(again: bool = False) -> Any:
    """What this machine reaches at best (`chainrule.backends.llvm.peak.Peak`), measured once."""
    return importlib.import_module("chainrule.backends.llvm.peak").measured(again=again)


def _native(nodes: Sequence[Node]) -> Any:
    start = time.perf_counter()
    made = _llvm().build(_through(NATIVE, nodes))
    if log.isEnabledFor(logging.INFO):
        _tell(nodes, made, time.perf_counter() - start)
    else:
        _remember(nodes)
    return made


# ------------------------------------------------------------------ what was compiled, and why

_numbers = itertools.count(1)
_seen: dict[Any, list[tuple[int, tuple[str, ...]]]] = {}
_SEEN = 4096


_moving: dict[int, set[int]] = {}


def _is_moving(nodes: Sequence[Node]) -> bool:
    """Whether two others of this structure came before."""
    others = _moving.setdefault(_skeleton(nodes), set())
    if len(_moving) > _SEEN:
        del _moving[next(iter(_moving))]
    before = len(others)
    if before < 2:
        others.add(hash(tuple(nodes)))
    return before >= 2


def _skeleton(nodes: Sequence[Node]) -> int:
    """A graph's structure, whatever its shapes, element types and constants are."""
    places: dict[Node, int] = {}
    rows: list[Any] = []
    for n in topological(nodes):
        places[n] = len(places)
        attrs = [
            v for k, v in n.attrs
            if isinstance(v, (bool, str)) or k in ("axis", "index", "order")
        ]  # fmt: skip
        rows.append((n.op.name, tuple(places[i] for i in n.inputs), tuple(attrs)))
    return hash((tuple(rows), tuple(places[n] for n in nodes)))


def _types(nodes: Sequence[Node]) -> tuple[str, ...]:
    inputs = sorted(
        (n for n in topological(nodes) if n.op.name == "input"), key=lambda n: n.attr("index")
    )
    return tuple(f"input {n.attr('index')} is {print_type(n.type)}" for n in inputs)


def _remember(nodes: Sequence[Node]) -> tuple[int, str]:
    """The program's number, and why it is not one of those before."""
    key, types, number = _skeleton(nodes), _types(nodes), next(_numbers)
    before = _seen.setdefault(key, [])
    why = "new"
    if before:
        old, then = before[-1]
        changed = [
            f"{a} instead of {b.partition(' is ')[2]}"
            for a, b in zip(types, then, strict=False) if a != b
        ]  # fmt: skip
        what = ", ".join(changed[:3]) or "constants differ, or it was forgotten"
        more = f", and {len(changed) - 3} more" if len(changed) > 3 else ""
        why = f"same structure as program {old}, but {what}{more}"
    before.append((number, types))
    del before[:-8]
    if len(_seen) > _SEEN:
        del _seen[next(iter(_seen))]
    return number, why


def _tell(nodes: Sequence[Node], made: Any, seconds: float) -> None:
    number, why = _remember(nodes)
    r = made.report
    host = f", {len(r.host)} on the host ({', '.join(sorted(set(r.host)))})" if r.host else ""
    log.info(
        "program %d (%s): %d kernels of %d nodes%s, %d of them known; %d compiled, %d from the "
        "cache; fuse %.0f ms, lower %.0f ms, compile %.0f ms, %.0f ms in all",
        number, why, r.kernels, len(topological(nodes)), host, r.known, r.compiled, r.found,
        r.fuse * 1e3, r.lower * 1e3, r.compile * 1e3, seconds * 1e3,
    )  # fmt: skip


# ------------------------------------------------------------------ for reading


def stages(outputs: Sequence[Node], *, llvm: bool = False, assembly: bool = False) -> str:
    """Every stage as text, with its time: for reading, and for `chainrule.explain`. At will with
    the LLVM IR and the assembly of every kernel.
    """
    nodes = list(outputs)
    parts = [f"── recorded\n{print_graph(nodes)}"]
    native = config.backend == "llvm"
    for stage in _shared() + (NATIVE if native else ()):
        start = time.perf_counter()
        nodes = stage.run(nodes)
        spent = (time.perf_counter() - start) * 1e3
        parts.append(
            f"── {stage.run.__name__}: {stage.says} ({spent:.2f} ms)\n{print_graph(nodes)}"
        )
    if native:
        text = importlib.import_module("chainrule.backends.llvm.stages")
        parts.extend(text.stages(nodes, llvm=llvm, assembly=assembly))
    return "\n\n".join(parts)
