"""The guard's part of an evaluation: are the values that the user sees finite, and if not, why?

A trace that is recorded under the guard keeps its values in a `Noted` list, which knows where each
comes from. The program tells itself whether what the user sees of it is finite, and writes over its
inputs only then. Only where a loss, a gradient, something written in place (parameters, buffers,
an optimiser's state) or a value that is looked at is not finite, it is run again on the reference
(`nonfinite.find`), what it read is saved (`evidence`), and `NonFiniteError` tells what was found.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from threading import get_ident
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule import dtypes, ops
from chainrule.autodiff import Derivative
from chainrule.autodiff.reverse import through
from chainrule.errors import Interrupted, NonFiniteError
from chainrule.ir.graph import substitute, topological
from chainrule.ir.node import Node
from chainrule.lines import Line
from chainrule.runtime import programs
from chainrule.shapes import size
from chainrule.tensor import evidence
from chainrule.tensor.nonfinite import Finding, Place, find, inherited, lines_of

if TYPE_CHECKING:
    from chainrule.tensor.handle import Tensor
    from chainrule.tensor.trace import Storage, Trace


class Origin(NamedTuple):
    """The layers that were being called, outermost first, and the user's lines, innermost first."""

    layers: tuple[weakref.ref[Any], ...]
    lines: tuple[Line, ...]


class Derived(NamedTuple):
    """A derivative in a trace: where its nodes are there (None: as they are), and where the values
    come from that it is a gradient of.
    """

    derivative: Derivative
    mapping: Mapping[Node, Node] | None
    origins: Mapping[Node, Origin]


class Noted(list[Node]):
    """The values of a trace, with the origin of each."""

    __slots__ = ("derived", "gradients", "notes", "origins", "results")

    def __init__(self, notes: Callable[[Node], Origin], values: Sequence[Node] = ()) -> None:
        super().__init__(values)
        self.notes = notes
        self.origins: dict[Node, Origin] = {}
        self.derived: list[Derived] = []
        #: The leaves that have got a gradient, and the storages of other gradients.
        self.gradients: dict[int, weakref.ref[Tensor]] = {}
        self.results: list[weakref.ref[Storage]] = []

    def append(self, node: Node) -> None:
        super().append(node)
        if node not in self.origins:
            self.origins[node] = self.notes(node)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return list, (list(self),)

    def gradient_of(self, s: Storage) -> Any:
        """The leaf whose gradient this is; the storage itself, of another gradient; or None."""
        for r in self.gradients.values():
            leaf = r()
            if leaf is not None and leaf._grad is not None and leaf._grad.storage is s:
                return leaf
        return s if any(r() is s for r in self.results) else None

    def roots(self) -> list[Any]:
        """The models that were called."""
        found: dict[int, Any] = {}
        for origins in (self.origins, *(d.origins for d in self.derived)):
            for origin in origins.values():
                root = origin.layers[0]() if origin.layers else None
                if root is not None:
                    found[id(root)] = root
        return list(found.values())

    def places(self) -> dict[Node, Place]:
        """Where nodes stand in the user's program: forward, then in which gradient rule."""
        found = _places(self.origins)
        for d, mapping, origins in self.derived:
            order = topological(d.order, below=_forward_below)
            forward, known = set(order), inherited(order, _places(origins))
            for owner, (g, made) in d.produced.items():
                place = known.get(owner, Place(owner.op.name, "", ()))
                rule = Place(owner.op.name, place.layer, place.lines, gradient=True)
                nodes = [
                    m for m in topological(made, stop=_ends(g, forward)) if not _ends(g, forward)(m)
                ]
                for m in nodes if mapping is None else substitute(nodes, mapping):
                    found.setdefault(m, rule)
        return found


def _forward_below(node: Node) -> tuple[Node, ...]:
    return (*through(node), *node.inputs)


def _ends(g: Any, forward: set[Node]) -> Callable[[Node], bool]:
    return lambda n: n is g or n in forward


def _places(origins: Mapping[Node, Origin]) -> dict[Node, Place]:
    paths: dict[tuple[int, ...], str] = {}
    found = {}
    for node, origin in origins.items():
        layers = [layer for r in origin.layers if (layer := r()) is not None]
        key = tuple(map(id, layers))
        if key not in paths:
            paths[key] = path_of(layers)
        found[node] = Place(node.op.name, paths[key], lines_of(origin.lines))
    return found


def path_of(layers: Sequence[Any]) -> str:
    """The path of the innermost of some layers: `Net.features.3`, `model/block/dense`."""
    if not layers:
        return ""
    root, inner = layers[0], layers[-1]
    if hasattr(root, "named_modules"):
        for path, layer in root.named_modules():
            if layer is inner:
                return f"{type(root).__name__}.{path}" if path else type(root).__name__
        return " → ".join(type(layer).__name__ for layer in layers)
    return "/".join(getattr(layer, "name", type(layer).__name__) for layer in layers)


def names_of(roots: Sequence[Any]) -> dict[int, str]:
    """The path of each parameter and buffer of some models, by the identity of its storage."""
    found: dict[int, str] = {}
    for root in roots:
        if hasattr(root, "named_buffers"):
            found.update((id(t.storage), f"parameter {n}") for n, t in root.named_parameters())
            found.update((id(t.storage), f"buffer {n}") for n, t in root.named_buffers())
        else:
            found.update((id(t.storage), f"parameter {t.path}") for t in root.weights)
    return found


# ---------------------------------------------------------------------- looking


def is_finite(array: np.ndarray) -> bool:
    """Whether there is neither NaN nor infinity in it."""
    return array.dtype.kind not in "fcV" or bool(np.isfinite(array).all())


def run_looked(
    outputs: tuple[Node, ...],
    looked: Sequence[int],
    arrays: Sequence[np.ndarray],
    donated: Mapping[int, int],
) -> tuple[list[np.ndarray], bool]:
    """Values of outputs, and whether those that are looked at are finite. If they are not, nothing
    was written into what is donated (see `programs.run`).
    """
    gated = _gated(outputs, tuple(looked), tuple(donated.items()))
    if gated is None:
        return programs.run(outputs, arrays, donated), True
    try:
        *values, fine = programs.run(gated, arrays, donated)
    except Interrupted as e:
        raise Interrupted(e.values[:-1]) from None
    return (values, True) if fine else (programs.run(outputs, arrays), False)


@lru_cache(maxsize=1024)
def _gated(
    outputs: tuple[Node, ...], looked: tuple[int, ...], donated: tuple[tuple[int, int], ...]
) -> tuple[Node, ...] | None:
    """The outputs, and whether they are finite, Σ 0 · x = 0; what is donated gets its new value
    only if they are. None: they are whole numbers.

    Of an update in place, p ← f(p, g), the change g is looked at: f is computed once.
    """
    total: Node | None = None
    places = dict(donated)
    seen = [x for i in looked for x in (_changes(outputs[i]) if i in places else [outputs[i]])]
    for x in dict.fromkeys(seen):
        if x.dtype.is_floating_point or x.dtype.is_complex:
            part = ops.real(x) + ops.imag(x) if x.dtype.is_complex else x
            zero = ops.cast(ops.sum(part * 0.0, axis=None, keepdim=False), dtypes.float64)
            total = zero if total is None else ops.add(total, zero)
    if total is None:
        return None
    fine, gated = ops.eq(total, 0.0), list(outputs)
    for i, k in donated:
        x = outputs[i]
        before = ops.input(index=k, shape=x.shape, dtype=x.dtype)
        gated[i] = ops.where(fine, x, before)
    return (*gated, fine)


def _changes(new: Node) -> list[Node]:
    """What is computed and goes into the new value of an array, element by element."""
    rule = new
    while rule.op.name in ("item", "stop_gradient"):
        rule = rule.inputs[0]
    made = [x for x in rule.inputs if x.shape == new.shape and x.op.name != "input"]
    return made or [new]


class Run(NamedTuple):
    """A program that has run: what it computed from what, and what is known about both.

    name     what its input number i is: "parameter fc1.weight", "the batch"
    """

    outputs: tuple[Node, ...]
    arrays: Sequence[np.ndarray]
    noted: Noted | None
    name: Callable[[int], str]


#: Arrays that are not finite, or that only a gradient reads, and the run that made each: by
#: identity, as long as they live.
_suspects: dict[int, tuple[weakref.ref[np.ndarray], Run, int]] = {}


def suspect(array: np.ndarray, run: Run, output: int) -> None:
    """Remember which run made an array, in case that a later program cannot say why it fails."""
    key = id(array)
    _suspects[key] = (weakref.ref(array, lambda _: _suspects.pop(key, None)), run, output)


def _maker(array: np.ndarray) -> tuple[Run, int] | None:
    found = _suspects.get(id(array))
    return None if found is None or found[0]() is not array else found[1:]


def check(
    run: Run, bad: Sequence[int], reached: Callable[[int], str], forgives: bool
) -> NonFiniteError | None:
    """The error that tells why some outputs are not finite; None, if that is as it was given."""
    try:
        return _checked(run, bad, reached, forgives)
    except Exception as fault:  # ours: it must not hide that something is wrong with the values
        return NonFiniteError(
            f"{reached(bad[0])} is not finite; the search for the reason failed: {fault!r}"
        )


def _checked(
    run: Run, bad: Sequence[int], reached: Callable[[int], str], forgives: bool
) -> NonFiniteError | None:
    noted = run.noted
    places = {} if noted is None else noted.places()
    finding = find(
        run.outputs, run.arrays, bad, reached=reached, places=places, name=run.name,
        forgives=forgives,
    )  # fmt: skip
    if finding is None:
        return None
    made = run
    if not finding.op:  # it was given: perhaps by an earlier program
        for array in run.arrays:
            earlier = None if is_finite(array) else _maker(array)
            if earlier is not None:
                before = _earlier(*earlier, reached=finding.reached)
                if before is not None and before.op:
                    finding, made = before, earlier[0]
                    break
    folder, why = evidence.save(finding, made.outputs, made.arrays, places, made.name)
    return NonFiniteError(f"{finding}\n  {why}", finding, folder)


def _earlier(run: Run, output: int, reached: str) -> Finding | None:
    places = {} if run.noted is None else run.noted.places()
    return find(run.outputs, run.arrays, [output], reached=lambda i: reached, places=places,
                name=run.name)  # fmt: skip


#: Arrays of at most this many elements are looked through in any case.
SMALL = 4096

#: Thread → who takes notes of what it records.
taking: dict[int, Notes] = {}


class Notes:
    """Knows where the values of programs come from, and takes notes only of what it has not seen:
    in a loop, the first steps. `watch` begins to take notes of what is recorded, `rest` ends it.
    """

    def __init__(self) -> None:
        self._programs: dict[tuple[Node, ...], tuple[Noted, list[weakref.ref[Tensor]]]] = {}
        self._missing: set[tuple[Node, ...]] = set()
        self._steady = 0
        self.watching = False

    def watch(self) -> None:
        raise NotImplementedError

    def rest(self) -> None:
        raise NotImplementedError

    def settled(self, wanted: tuple[Node, ...], trace: Trace) -> Noted | None:
        """The notes of the program that computes these values of a trace. Equal programs of two
        models differ in their leaves.
        """
        noted = trace.values if isinstance(trace.values, Noted) else None
        leaves = [t for t, _ in trace.flowing]
        known = self._programs.get(wanted)
        if known is not None and _same(known[1], leaves):
            self._steady += 1
            noted = known[0] if noted is None else noted
        else:
            self._steady = 0
            if noted is None:
                self._missing.add(wanted)
            else:
                self._missing.discard(wanted)
                if len(self._programs) >= _MOST:
                    self._programs.clear()
                self._programs[wanted] = noted, [weakref.ref(t) for t in leaves]
        if len(self._missing) > _MOST:
            self._missing.clear()
        if self.watching and self._steady > _STEADY and not self._missing:
            self.rest()
        elif self._missing and not self.watching:
            self.watch()
        return noted


_MOST = 512
#: After so many programs in a row that are known, no notes are taken.
_STEADY = 4


def _same(known: list[weakref.ref[Tensor]], leaves: list[Tensor]) -> bool:
    return len(known) == len(leaves) and all(r() is t for r, t in zip(known, leaves, strict=True))


class Guarded:
    """Runs a trace's program and looks through its values."""

    def __init__(
        self,
        trace: Trace,
        wanted: tuple[Node, ...],
        storages: Sequence[Storage],
        looked: Storage | None,
        donated: Mapping[int, int],
    ) -> None:
        self.donated = donated
        self.bound, self.storages, self.looked = trace.bound, storages, looked
        notes = taking.get(get_ident())
        self.noted = None if notes is None else notes.settled(wanted, trace)
        self.run = Run(wanted, trace.arrays, self.noted, self.name)
        self._names: dict[int, str] | None = None
        self._looked: list[int] = []
        self._fine = True

    def values(self) -> list[np.ndarray]:
        """Run the program."""
        leaves = {id(s) for t, _, _, _, _, s in self.bound if t is not None and t.leaf and t.level}
        # What is not finite about a gradient or an optimiser's state is so about the parameter.
        steps = any(s.array is not None and id(s) in leaves for s in self.storages)
        outputs = self.run.outputs
        self._looked = [
            i
            for i, s in enumerate(self.storages)
            if not steps or size(outputs[i].shape) <= SMALL or id(s) in leaves
        ]
        values, self._fine = run_looked(outputs, self._looked, self.run.arrays, self.donated)
        for i in range(len(self.storages), len(values)):
            suspect(values[i], self.run, i)
        return values

    def error(self, values: Sequence[np.ndarray]) -> NonFiniteError | None:
        """What is wrong with the values, if anything is."""
        if self._fine:
            return None
        bad = []
        for i in self._looked:
            if is_finite(values[i]):
                continue
            if self._is_seen(self.storages[i], values[i]):
                bad.append(i)
            else:
                suspect(values[i], self.run, i)
        if not bad:
            return None
        trains = any(fields[3] for fields in self.bound) or any(
            self.noted is not None and self.noted.gradient_of(s) is not None for s in self.storages
        )
        return check(self.run, bad, self.reached, forgives=not trains)

    def _is_seen(self, s: Storage, value: np.ndarray) -> bool:
        """Whether it is a loss, a gradient, written in place, or looked at."""
        if s.array is not None or value.size == 1 or s is self.looked:
            return True
        return self.noted is not None and self.noted.gradient_of(s) is not None

    @property
    def names(self) -> dict[int, str]:
        """The paths of parameters and buffers."""
        if self._names is None:
            self._names = names_of([] if self.noted is None else self.noted.roots())
        return self._names

    def name(self, i: int) -> str:
        """What an input is."""
        tensor, storage = self.bound[i][0], self.bound[i][5]
        if tensor is None or storage is None:
            return ""
        known = self.names.get(id(storage))
        leaf = "a tensor that requires a gradient" if tensor.leaf and tensor.level else ""
        return known or leaf or ("" if tensor.history is not None else "the data")

    def reached(self, i: int) -> str:
        """What an output is."""
        s = self.storages[i]
        known = self.names.get(id(s))
        if known:
            return known
        leaf = None if self.noted is None else self.noted.gradient_of(s)
        if leaf is not None:
            name = self.names.get(id(getattr(leaf, "storage", None)))
            return f"the gradient of {name}" if name else "a gradient"
        if s is self.looked:
            return "the value that is looked at"
        return "a number (such as a loss)" if self.run.outputs[i].shape == () else "a value"
