"""A model layer by layer: shapes, parameters, operations, bytes, memory in training, time.

>>> import chainrule as torch
>>> from chainrule import explain
>>> model = torch.nn.Sequential(
...     torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)
... )
>>> table = explain.summary(model, input_size=(64, 784), time=False)
>>> table.macs == 64 * 784 * 128 + 64 * 128 * 10
True
>>> table.total_params, [row.path for row in table.rows]
(101770, ['', '0', '1', '2'])
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule import compiler, config
from chainrule.dtypes import DType, float32, get_default_dtype
from chainrule.explain.aside import aside
from chainrule.explain.costs.account import Account, Home, Share, nbytes
from chainrule.explain.costs.clock import Clock, measure
from chainrule.explain.costs.table import Table, count, duration, prefix, shapes, size
from chainrule.explain.observe import (
    Call,
    Observation,
    is_model,
    layers_of,
    observe,
    parameters_of,
    tensors_in,
)
from chainrule.explain.words import words
from chainrule.ir.cost import FREE, Cost
from chainrule.ir.node import Node
from chainrule.keras import tree
from chainrule.nn import Module
from chainrule.tensor import Tensor, enable_grad, no_grad
from chainrule.tensor.creation import as_tensor
from chainrule.tensor.handle import from_array
from chainrule.tensor.trace import one_piece

#: Below this share of both peaks, neither arithmetic nor memory is what a layer waits for.
_IDLE = 0.05


class Pass:
    """What a layer takes in one pass, or in one training step: sums over what is inside.

    flops   floating-point operations; `macs` are the multiply-adds of products among them
    bytes   read and written, parameters included, if each layer is one kernel
    seconds measured, each layer as a program of its own; None: not measured
    """

    def __init__(self) -> None:
        self.cost: Cost = FREE
        self.bytes = 0
        self.seconds: float | None = None

    @property
    def flops(self) -> int:
        return self.cost.flops

    @property
    def macs(self) -> int:
        return self.cost.macs

    def add(self, share: Share, seconds: float | None) -> None:
        """What one home takes."""
        self.cost += share.cost
        self.bytes += share.moved
        if seconds is not None:
            self.seconds = (self.seconds or 0.0) + seconds


class Row:
    """One layer: a line of the table.

    path         from the model down; "" is the model itself
    params       numbers in its parameters, and in those of what is inside; one that belongs to
                 several layers counts where it comes up first. `trainable` are those that training
                 changes, `param_bytes` the memory of all
    calls        how often it is called in a pass; costs are those of all calls
    shapes       shapes of the results of its last call
    forward      what a pass takes, in evaluation mode (a `Pass`)
    training     what a training step takes: forward and backward, in training mode; None: not asked
    kept         bytes of its values that the backward pass will read
    """

    def __init__(self, path: str, layer: Any, parent: Row | None) -> None:
        self.path, self.layer, self.parent = path, layer, parent
        self.kind = type(layer).__name__
        self.children: list[Row] = []
        self.first = math.inf
        self.calls = 0
        self.shapes: list[tuple[int, ...]] = []
        self.input_shapes: list[tuple[int, ...]] = []
        self.params = self.trainable = self.param_bytes = 0
        self.forward = Pass()
        self.training: Pass | None = None
        self.kept = 0
        self._peak: Any = None
        self._scale = 1.0

    @property
    def depth(self) -> int:
        """0 for the model."""
        return 0 if self.parent is None else self.parent.depth + 1

    @property
    def name(self) -> str:
        """The last part of the path; the class of the model."""
        if self.parent is None:
            return self.kind
        start = len(self.parent.path)
        return self.path[start:].lstrip("./") if self.parent.path else self.path

    @property
    def is_leaf(self) -> bool:
        """Whether it has no layers inside."""
        return not self.children

    @property
    def flops(self) -> int:
        return self.forward.flops

    @property
    def macs(self) -> int:
        return self.forward.macs

    @property
    def bytes(self) -> int:
        return self.forward.bytes

    @property
    def time(self) -> float | None:
        """Seconds of the forward pass, measured alone."""
        return self.forward.seconds

    @property
    def train_time(self) -> float | None:
        """Seconds of forward and backward pass, measured alone."""
        return None if self.training is None else self.training.seconds

    @property
    def compute_share(self) -> float | None:
        """Operations per second as a part of what the machine reaches at best."""
        seconds = self.forward.seconds
        return self.flops / seconds / self._peak.flops * self._scale if seconds else None

    @property
    def memory_share(self) -> float | None:
        """Bytes per second as a part of what memory gives at best. More than 1: from caches."""
        return self.bytes / self.time / self._peak.bandwidth if self.time else None

    @property
    def bound(self) -> str:
        """What it waits for: "compute" or "memory", whichever takes longer at the machine's best;
        "overhead" where it uses little of either; "" where there is nothing to do or to tell.
        """
        if self._peak is None or not (self.flops or self.bytes):
            return ""
        if self.time and max(self.compute_share or 0, self.memory_share or 0) < _IDLE:
            return "overhead"
        arithmetic = self.flops * self._scale / self._peak.flops
        return "compute" if arithmetic >= self.bytes / self._peak.bandwidth else "memory"

    def walk(self) -> Iterator[Row]:
        """This row and those inside."""
        yield self
        for child in self.children:
            yield from child.walk()

    def __repr__(self) -> str:
        return f"<{self.kind} {self.path!r}: {self.params:,} parameters, {self.flops:,} FLOPs>"


class Summary(Table):
    """What `summary` found: rows, and totals. `str()` is a table, as in notebooks; `html()` a page.

    rows            every layer, in the order in which layers are called, containers before what
                    they contain
    total_params    numbers in all parameters, each once; `trainable_params`, `param_bytes`
    flops, macs     of a forward pass; `train_flops`, `train_macs` of a training step (forward and
                    backward, without loss and optimiser), counted from the derived gradient
    bytes           that the layers of a forward pass move
    kept            bytes of forward values that the backward pass will read: the activations that
                    training needs
    peak_memory     bytes that are there at once at most in a training step as one program: inputs,
                    parameters, gradients, results, and the arena of the plan
    time            seconds of a forward pass as one program; `train_time` of a training step
    peak            what the machine reaches: `.flops`, `.bandwidth` (per second), `.threads`
    """

    def __init__(self, model: Any, root: Row) -> None:
        self.model, self.root = model, root
        self.rows: list[Row] = []
        self.input_shapes: list[tuple[int, ...]] = []
        self._peak_memory: int | None = None
        self._step: list[Node] = []
        self.time: float | None = None
        self.train_time: float | None = None
        self.peak: Any = None
        self.seen = False
        self.depth: int | None = None
        self.lang = "en"

    @property
    def total_params(self) -> int:
        return self.root.params

    @property
    def trainable_params(self) -> int:
        return self.root.trainable

    @property
    def param_bytes(self) -> int:
        return self.root.param_bytes

    @property
    def flops(self) -> int:
        return self.root.flops

    @property
    def macs(self) -> int:
        return self.root.macs

    @property
    def bytes(self) -> int:
        return self.root.bytes

    @property
    def kept(self) -> int:
        return self.root.kept

    @property
    def peak_memory(self) -> int | None:
        """See above. What was not measured (`time=False`) is planned at the first look, which takes
        some seconds for a large model.
        """
        if self._peak_memory is None and self._step:
            self._know(compiler.planned(self._step))
        return self._peak_memory

    def _know(self, plan: Any) -> None:
        self._peak_memory = plan.arena + sum(map(nbytes, plan.arrays))

    @property
    def train_flops(self) -> int | None:
        return None if self.root.training is None else self.root.training.flops

    @property
    def train_macs(self) -> int | None:
        return None if self.root.training is None else self.root.training.macs

    def totals(self) -> list[tuple[str, str]]:
        say, found = words(self.lang), []
        fixed = self.total_params - self.trainable_params
        text = say("{n} ({size}), {fixed} not trainable") if fixed else say("{n} ({size})")
        told = text.format(
            n=f"{self.total_params:,}", size=size(self.param_bytes) or "0 B", fixed=f"{fixed:,}"
        )
        found.append((say("Parameters"), told))
        if self.seen:
            found.insert(0, (say("Input"), ", ".join(shapes([s]) for s in self.input_shapes)))
        return [*found, *self.cost_totals()]

    def cost_totals(self) -> list[tuple[str, str]]:
        """What a pass and a training step take: names and values."""
        say, found = words(self.lang), []
        if not self.seen:
            return []
        found.append((say("Forward pass"), self._pass(self.root.forward, self.time)))
        if self.root.training is not None:
            step = self._pass(self.root.training, self.train_time)
            found.append((say("Training step"), step))
            told = say("{kept} of activations are kept for the backward pass").format(
                kept=size(self.kept) or "0 B"
            )
            if self._peak_memory is not None:
                told = f"{size(self._peak_memory)} {say('at once')}; {told}"
            found.append((say("Memory in training"), told))
        best = say("{threads} threads: {flops}FLOP/s, {bytes}/s from memory (measured)").format(
            threads=self.peak.threads,
            flops=prefix(self.peak.flops),
            bytes=size(round(self.peak.bandwidth)),
        )
        found.append((say("Machine at its best"), best))
        return found

    def _pass(self, one: Pass, seconds: float | None) -> str:
        told = words(self.lang)("{flops}FLOPs ({macs} multiply-adds), {bytes} moved").format(
            flops=prefix(one.flops), macs=count(one.macs) or "0", bytes=size(one.bytes) or "0 B"
        )
        return told if seconds is None else f"{told}, {duration(seconds)}"

    def notes(self) -> list[str]:
        say = words(self.lang)
        if not self.seen:
            return [say("Give x or input_size for shapes, operations, memory and times.")]
        found = [
            say(
                "FLOPs: a multiply-add is two, any other function of a number one; moving is none. "
                "A layer's include those of the layers inside it."
            )
        ]
        if self.time is not None:
            found.append(
                say(
                    "Forward, Step (forward and backward): each layer compiled and run alone, as a "
                    "median. The totals are of the whole model as one program, which fuses layers."
                )
            )
        return found

    def cells_of(self, layer: Any) -> tuple[str, str, str]:
        """Operations, kept bytes and time of a layer, as text; nothing for what is none."""
        row = next((row for row in self.rows if row.layer is layer), None)
        if row is None:
            return "", "", ""
        return count(row.flops), size(row.kept), duration(row.time)

    def __getitem__(self, path: str) -> Row:
        for row in self.rows:
            if row.path == path:
                return row
        raise KeyError(f"no layer at {path!r}: {', '.join(repr(r.path) for r in self.rows[:20])}")


def summary(
    model: Any,
    x: Any = None,
    *,
    input_size: Any = None,
    dtypes: Sequence[DType] | None = None,
    depth: int | None = None,
    time: bool = True,
    train: bool = True,
    lang: str = "en",
) -> Summary:
    """Layers of a model with shapes, parameters, operations, bytes, kept activations and times.

    model        a module, or a layer or model of Keras. It is left as it was: mode, running
                 statistics, random streams
    x            its input: a tensor, several (a tuple, a list; a dictionary for a model that takes
                 one, or for arguments by name), or a shape
    input_size   a shape with its batch axis, or a list of shapes: random numbers are put in.
                 Without `x` and `input_size` a built Keras model is summarised for a batch of one,
                 any other by its parameters alone
    dtypes       one for each of `input_size`: integers become zeros, for embeddings
    depth        layers below this depth are summed up in their container (0: the model alone)
    time         measure: every layer is compiled and run as a program of its own, and so is the
                 whole; takes some seconds for a large model
    train        also the training step: operations of the derived gradient, what is kept, memory
    lang         "en" or "zh"

    Operations are counted from the graph (`chainrule.ir.cost`): a multiply-add is two, any other
    function of a number one (exp and tanh, too), moving is nothing. The gradient's are counted from
    the derived graph, not taken to be twice the forward pass's; a published "1.8 GFLOPs" of a
    network is mostly its multiply-adds: `.macs`.
    """
    if not is_model(model):
        raise TypeError(
            f"summary takes a module or a layer, got {type(model).__name__}: give the model itself"
        )
    if _is_shape(x) or _is_shapes(x):
        if input_size is not None:
            raise ValueError("the input's shape came twice, as x and as input_size")
        x, input_size = None, x
    with aside(model, x):
        args, kwargs = _arguments(model, x, input_size, dtypes)
        with one_piece:
            return _summary(model, args, kwargs, depth, time, train, lang)


def _summary(
    model: Any, args: Any, kwargs: Any, depth: int | None, time: bool, train: bool, lang: str
) -> Summary:
    accounts: list[Account] = []
    if args is not None:
        try:
            accounts.append(_account(model, args, kwargs, training=False))
            if train:
                accounts.append(_account(model, args, kwargs, training=True))
        except (TypeError, IndexError, ValueError, RuntimeError) as error:
            error.add_note(
                "explain.summary called the model with inputs of shapes "
                f"{_shapes(tensors_in((args, kwargs)))}: give x, or input_size with the batch "
                "axis, and dtypes for indices (dtypes=[torch.int64])"
            )
            raise
    made = Summary(model, _tree(model, [a.seen for a in accounts]))
    made.depth, made.lang = depth, lang
    made.input_shapes = _shapes(tensors_in((args, kwargs)))
    rows = {id(row.layer): row for row in made.root.walk()}
    _count_parameters(model, rows)
    seconds: list[dict[Home, float]] = [{} for _ in accounts]
    if accounts:
        made.seen = True
        made.peak = compiler.peak()
        if time:
            clocks = [Clock(a, _arrays(a)) for a in accounts]
            measure(clocks)
            made.peak = compiler.peak(again=True)
            seconds = [c.times() for c in clocks]
            made.time, *rest = [float(np.median(c.whole)) for c in clocks]
            made.train_time = rest[0] if rest else None
        if train and config.backend == "llvm":
            last = accounts[-1]
            if time:
                made._know(clocks[-1].plan)
            made._step = [*last.outputs, *last.gradients]
    for account, told in zip(accounts, seconds, strict=True):
        _fill(account, told, rows, made.root)
    scale = _slower(made.root)
    for row in rows.values():
        row._peak, row._scale = made.peak, scale
    made.rows = list(made.root.walk())
    return made


# ---------------------------------------------------------------------- what the model is given


def _is_shape(x: Any) -> bool:
    return isinstance(x, (tuple, list)) and bool(x) and all(type(n) is int for n in x)


def _is_shapes(x: Any) -> bool:
    return isinstance(x, (tuple, list)) and bool(x) and all(map(_is_shape, x))


def _arguments(
    model: Any, x: Any, input_size: Any, dtypes: Sequence[DType] | None
) -> tuple[Any, dict[str, Any]]:
    """Arguments to call the model with; None: nothing is known of them."""
    keras = not isinstance(model, Module)
    if x is None:
        if input_size is None:
            known = _known_inputs(model) if keras else None
            if known is None:
                return None, {}
            return (known,), {}
        sizes = [tuple(input_size)] if _is_shape(input_size) else [tuple(s) for s in input_size]
        kinds = list(dtypes) if dtypes is not None else [get_default_dtype()] * len(sizes)
        if len(kinds) != len(sizes):
            raise ValueError(f"{len(sizes)} shapes, but {len(kinds)} dtypes came")
        made = [_filled(s, d) for s, d in zip(sizes, kinds, strict=True)]
        return ((made[0] if len(made) == 1 else made,) if keras else tuple(made)), {}
    x = _as_tensors(x)
    if keras:
        return (x,), {}
    if isinstance(x, dict):
        names = inspect.signature(model.forward).parameters
        if all(k in names for k in x) or any(p.kind is p.VAR_KEYWORD for p in names.values()):
            return (), x
        return (x,), {}
    return (tuple(x) if isinstance(x, (tuple, list)) else (x,)), {}


def _known_inputs(model: Any) -> Any:
    """Inputs of a Keras model that knows their shapes; axes that it does not know have size 1."""
    if not getattr(model, "inputs", None):
        return None
    return tree.map_structure(
        lambda t: _filled(tuple(n or 1 for n in t.shape), _dtype_of(t)), model.input
    )


def _dtype_of(t: Any) -> DType:
    found = t.dtype if isinstance(t.dtype, DType) else as_tensor(np.zeros((), str(t.dtype))).dtype
    return found


def _filled(shape: tuple[int, ...], dtype: DType) -> Tensor:
    """Normal numbers; zeros where a number is an index or a truth value. The program's own random
    numbers are not touched.
    """
    if dtype.is_floating_point or dtype.is_complex:
        array = np.random.Generator(np.random.Philox(0)).standard_normal(shape, np.float32)
        return from_array(array.astype(dtype.np), dtype)
    return from_array(np.zeros(shape, dtype.np), dtype)


def _as_tensors(x: Any) -> Any:
    if isinstance(x, dict):
        return {k: _as_tensors(v) for k, v in x.items()}
    if isinstance(x, (tuple, list)):
        return type(x)(_as_tensors(v) for v in x)
    return as_tensor(x) if isinstance(x, np.ndarray) else x


# ---------------------------------------------------------------------- what it costs


def _account(model: Any, args: Any, kwargs: dict[str, Any], training: bool) -> Account:
    with enable_grad() if training else no_grad():
        if isinstance(model, Module):
            model.train(training)
            seen = observe(model, *args, model=model, **kwargs)
        else:
            seen = observe(model, *args, model=model, training=training, **kwargs)
        results = tensors_in(seen.result)
        state = [t for _, t in parameters_of(model, buffers=True)] if training else []
        wanted = [t for _, t in parameters_of(model, trainable=True)] if training else []
        nodes = seen.nodes_of([*results, *state, *wanted])
        first, second = len(results), len(results) + len(state)
        return Account(seen, nodes[:first], nodes[first:second], nodes[second:], training)


def _arrays(account: Account) -> dict[Node, np.ndarray]:
    """Values for all inputs of a graph: those of the leaves, and small cotangents."""
    seen, found = account.seen, {}
    for n in account.inputs:
        t = seen.leaves.get(n)
        array = seen.arrays.get(n)
        if array is None and t is not None:
            array = t.storage.array if not t.chain else t.detach().numpy()
        found[n] = np.full(n.shape, 1e-3).astype(n.dtype.np) if array is None else array
    return found


def _slower(root: Row) -> float:
    """How many float32 operations an operation of the model's numbers is worth."""
    sizes = [t.dtype.itemsize for _, t in parameters_of(root.layer) if t.dtype.is_floating_point]
    return max([s / float32.itemsize for s in sizes if s > float32.itemsize], default=1.0)


# ---------------------------------------------------------------------- the tree of layers


def _tree(model: Any, seen: Sequence[Observation]) -> Row:
    """Rows for all layers that the model has, or called, with their calls and shapes."""
    root = Row("", model, None)
    by_path = {"": root}
    by_layer = {id(model): root}
    for path, layer in layers_of(model):
        if path:
            _hang(Row(path, layer, _parent_of(path, by_path)), by_path, by_layer)
    for k, one in enumerate(seen):
        for number, call in enumerate(one.calls):
            row = by_layer.get(id(call.layer))
            if row is None:
                row = Row(call.path, call.layer, _row_of_call(call.parent, by_layer, root))
                _hang(row, by_path, by_layer)
            row.first = min(row.first, number)
            if k == 0:
                row.calls += 1
            row.shapes, row.input_shapes = _shapes(call.outputs), _shapes(call.inputs)
    _sort(root)
    return root


def _hang(row: Row, by_path: dict[str, Row], by_layer: dict[int, Row]) -> None:
    assert row.parent is not None
    row.parent.children.append(row)
    by_path[row.path] = by_layer[id(row.layer)] = row


def _parent_of(path: str, by_path: dict[str, Row]) -> Row:
    ends = [i for i, c in enumerate(path) if c in "./"]
    return next((by_path[path[:i]] for i in reversed(ends) if path[:i] in by_path), by_path[""])


def _row_of_call(call: Call | None, by_layer: dict[int, Row], root: Row) -> Row:
    return root if call is None else by_layer.get(id(call.layer), root)


def _sort(row: Row) -> float:
    """Children in the order of their first calls; what is never called comes last."""
    firsts = {id(child): _sort(child) for child in row.children}
    row.children.sort(key=lambda child: firsts[id(child)])
    return min([row.first, *firsts.values()])


def _count_parameters(model: Any, rows: dict[int, Row]) -> None:
    """Parameters (in Keras also what training does not change), each at the first layer that has
    it.
    """
    keras = not isinstance(model, Module)
    owned: set[int] = set()
    for row in sorted(rows.values(), key=lambda r: bool(r.children) * (1000 - r.depth)):
        if is_model(row.layer):  # first those with nothing inside, then from the inside out
            _own(row, row.layer, keras, owned)


def _own(row: Row, layer: Any, keras: bool, owned: set[int]) -> None:
    trainable = {id(t) for _, t in parameters_of(layer, trainable=True)}
    for _, t in parameters_of(layer, buffers=keras):
        if id(t) in owned:
            continue
        owned.add(id(t))
        n = math.prod(t.shape)
        at: Row | None = row
        while at is not None:
            at.params += n
            at.trainable += n * (id(t) in trainable)
            at.param_bytes += n * t.dtype.itemsize
            at = at.parent


def _fill(account: Account, seconds: dict[Home, float], rows: dict[int, Row], root: Row) -> None:
    """What each home takes, for its layer and all around it."""
    training = account.training
    if training:
        for one in rows.values():
            one.training = Pass()
    for home, share in account.shares.items():
        layer = None if home.call is None else home.call.layer
        row: Row | None = rows.get(id(layer), root)
        while row is not None:
            if training:
                assert row.training is not None
                row.training.add(share, seconds.get(home))
                row.kept += share.kept
            else:
                row.forward.add(share, seconds.get(home))
            row = row.parent


def _shapes(tensors: Sequence[Tensor]) -> list[tuple[int, ...]]:
    return [tuple(t.shape) for t in tensors]
