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

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import compiler, config
from chainrule.dtypes import DType, float32
from chainrule.explain.aside import aside
from chainrule.explain.costs.account import Account, Home, nbytes
from chainrule.explain.costs.clock import Clock, Runner, measure
from chainrule.explain.costs.custom import Rule, rules
from chainrule.explain.costs.given import arguments, is_shape, is_shapes
from chainrule.explain.costs.rows import Pass, Row, count_parameters, fill, rows_of, shapes_of
from chainrule.explain.costs.table import Table, count, duration, prefix, shapes, size
from chainrule.explain.observe import is_model, observe, parameters_of, tensors_in
from chainrule.explain.pages.words import words
from chainrule.ir.node import Node
from chainrule.nn import Module
from chainrule.tensor import Tensor, enable_grad, no_grad
from chainrule.tensor.trace import one_piece


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
                    "Forward, Step (forward and backward): each layer compiled and run alone, the "
                    "least of several times. The totals are of the whole model as one program, "
                    "which fuses layers."
                )
            )
            found.append(
                say(
                    "Peak, Memory: shares of the machine's best. More than 100% of memory comes "
                    "from caches."
                )
            )
        return found

    def cells_of(self, layer: Any) -> dict[str, str]:
        """Heading → text of the columns of a layer; nothing for what is none."""
        row = next((row for row in self.rows if row.layer is layer), None)
        return {} if row is None else {c.name: c.text(row) for c in self.columns()}

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
                 whole, in turn; the least time of each counts, as for the peak. Takes some seconds,
                 for a large model that was never compiled before half a minute
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
    if is_shape(x) or is_shapes(x):
        if input_size is not None:
            raise ValueError("the input's shape came twice, as x and as input_size")
        x, input_size = None, x
    with aside(model, x):
        args, kwargs = arguments(model, x, input_size, dtypes)
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
                f"{shapes_of(tensors_in((args, kwargs)))}: give x, or input_size with the batch "
                "axis, and dtypes for indices (dtypes=[torch.int64])"
            )
            raise
    made = Summary(model, rows_of(model, [a.seen for a in accounts]))
    made.depth, made.lang = depth, lang
    made.input_shapes = shapes_of(tensors_in((args, kwargs)))
    rows = {id(row.layer): row for row in made.root.walk()}
    count_parameters(model, rows)
    seconds: list[dict[Home, float]] = [{} for _ in accounts]
    if accounts:
        made.seen = True
        made.peak = compiler.peak()
        if time:
            known: dict[tuple[Node, ...], Runner] = {}
            clocks = [Clock(a, _arrays(a), known) for a in accounts]
            measure(clocks)
            made.peak = compiler.peak(again=True)
            seconds = [c.times() for c in clocks]
            made.time, *rest = [min(c.whole) for c in clocks]
            made.train_time = rest[0] if rest else None
        if train and config.backend == "llvm":
            last = accounts[-1]
            if time:
                made._know(clocks[-1].plan)
            made._step = [*last.outputs, *last.gradients]
    for account, told in zip(accounts, seconds, strict=True):
        fill(account, told, rows, made.root)
    scale = _slower(made.root)
    for row in rows.values():
        row._peak, row._scale = made.peak, scale
    made.rows = list(made.root.walk())
    return made


# ---------------------------------------------------------------------- what it costs


def _account(model: Any, args: Any, kwargs: dict[str, Any], training: bool) -> Account:
    with enable_grad() if training else no_grad():
        if isinstance(model, Module):
            model.train(training)
        else:
            kwargs = {**kwargs, "training": training}

        def run() -> tuple[Any, list[Rule], list[Tensor]]:
            result = model(*args, **kwargs)
            written = rules() if training else []
            return result, written, [t for rule in written for t in rule.held]

        seen = observe(run, model=model)
        result, written, _ = seen.result
        results = tensors_in(result)
        state = [t for _, t in parameters_of(model, buffers=True)] if training else []
        wanted = [t for _, t in parameters_of(model, trainable=True)] if training else []
        nodes = seen.nodes_of([*results, *state, *wanted])
        first, second = len(results), len(results) + len(state)
        return Account(seen, nodes[:first], nodes[first:second], nodes[second:], training, written)


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
