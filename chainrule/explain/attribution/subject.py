"""What is explained: a model's score as a graph of its inputs, which is run at other points.

The model is called once, in evaluation mode, on as many rows as are computed at a time. What comes
of that is a graph; methods ask it for scores, gradients and whatever else lies on the way, at
inputs of their own. Whole numbers have no gradient: of tokens, what is varied is the embedding that
the graph reads at them. A model that looks at values on its way (and so may take another way for
others) is called again for every point. A function whose gradient the user wrote is seen through:
what counts is what it computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from chainrule import dtypes, ops
from chainrule.autodiff import derivative
from chainrule.autodiff.reverse import Rules
from chainrule.errors import GradientError
from chainrule.explain.attribution.targets import chosen_targets, flat_index
from chainrule.explain.attribution.tokens import MOVES, Variable, embeddings, places_of, reaches
from chainrule.explain.observe import Observation, is_keras, observe, tensors_in
from chainrule.ir.graph import substitute, topological
from chainrule.ir.node import Node
from chainrule.keras import context
from chainrule.nn import Module
from chainrule.ops.core import full_like
from chainrule.pytree import tree_flatten, tree_unflatten
from chainrule.runtime import programs
from chainrule.runtime.random import STREAMS, stream
from chainrule.tensor import Tensor, enable_grad
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.trace import state

#: Rows that are computed at a time, unless the user says otherwise.
ROWS = 16
_REAL = (dtypes.INTEGER, dtypes.FLOAT)
_NORMALISERS = ("softmax", "log_softmax", "sigmoid", "log_sigmoid")


class View:
    """The graph of so many rows.

    score      one number a row, a function of the inputs
    varied     the same as a function of the variables
    arrays     the values of the graph's inputs, by index
    places     which of these are the model's inputs
    """

    def __init__(
        self, seen: Observation, output: Node, score: Node, variables: list[list[Variable]],
        arrays: list[np.ndarray], places: list[list[int]], rows: int,
    ) -> None:  # fmt: skip
        self.seen, self.output, self.score, self.rows = seen, output, score, rows
        self.variables, self.arrays, self.places = variables, arrays, places
        self.all = [v for group in variables for v in group]
        (self.varied,) = substitute([score], {v.node: v.free for v in self.all})

    def total(self, score: Node) -> Node:
        """Σ over rows: rows do not depend on each other, so its derivative has each row's."""
        return ops.sum(score, axis=None, keepdim=False)

    def derivatives(
        self, wrt: Sequence[Node], *, of: Node | None = None, rules: Rules | None = None
    ) -> list[Node]:
        """dΣscore/d(wrt), by the chain rule or by others; zeros where nothing arrives."""
        score = self.score if of is None else of
        found = derivative([score], [full_like(score, 1)], wrt, rules=rules).gradients
        return [full_like(x, 0) if g is None else g for g, x in zip(found, wrt, strict=True)]

    def at_variables(self, rules: Rules | None = None) -> list[Node]:
        """The score as a function of the variables, and its derivative by each."""
        free = [v.free for v in self.all]
        return [self.varied, *self.derivatives(free, of=self.varied, rules=rules)]


class Subject:
    """A model, the inputs that are explained, and the score: which output.

    arrays    the inputs, as they were given
    target    the chosen output of each row; None: the user's function
    score     its value
    """

    def __init__(
        self, model: Callable[..., Any], x: Any, target: Any = None, *,
        keywords: Mapping[str, Any] | None = None, normalised: bool = False,
        batch_size: int | None = None,
    ) -> None:  # fmt: skip
        self.model, self.keywords = model, dict(keywords or {})
        self.several = isinstance(x, tuple)
        leaves, self._tree = tree_flatten(x if self.several else (x,))
        self.arrays = [_array(leaf) for leaf in leaves]
        self.normalised, self.batch_size = normalised, batch_size
        self._function = target if callable(target) else None
        self.channels = _channels(model, self.arrays[0]) if self.arrays else None
        self._views: dict[int, View] = {}
        self.looks = False
        self._in_rows = bool(self.arrays) and self.arrays[0].ndim > 0
        self.rowwise = True
        self.count = self.arrays[0].shape[0] if self._in_rows else 1
        self._choice: np.ndarray | None = None
        self.single = False
        self.target: np.ndarray | None = None
        first = self.view(self.count)
        if not self.rowwise:
            self.count = 1
            self._views.clear()
            first = self.view(1)
        if self._function is None:
            (out,) = self._rows(self.run(first, [first.output]))
            self.target = chosen_targets(target, out, self.count)
            flat = out.reshape(self.count, -1)
            self.single = flat.shape[1] == 1
            self._choice = None if self.single else flat_index(self.target, out.shape[1:])
            self._views.clear()
            first = self.view(self.count)
        (self.score,) = self.run(first, [first.score])

    # ------------------------------------------------------------------ recording

    def view(self, rows: int | None = None, arrays: Sequence[np.ndarray] | None = None) -> View:
        """The graph of so many rows; found again, unless the model looks at values."""
        rows = self.count if rows is None else rows
        found = None if arrays is not None and self.looks else self._views.get(rows)
        if found is None:
            found = self._views[rows] = self._record(rows, arrays)
        return found

    def _record(self, rows: int, given: Sequence[np.ndarray] | None) -> View:
        index = np.arange(rows) % self.count
        arrays = given or [a[index] if self._has_rows(a) else a for a in self.arrays]
        tensors = [from_owned(np.array(a)) for a in arrays]
        for t in tensors:
            if t.is_floating_point():
                t.requires_grad_()
        args = tree_unflatten(tensors, self._tree)
        with enable_grad(), evaluation(self.model):
            before = state.trace
            seen = observe(self.model, *args, **self.keywords)
            self.looks = self.looks or bool(before.closed and self._views)
            if before.closed and not self._views:  # layers may have been made: look once more
                before = state.trace
                seen = observe(self.model, *args, **self.keywords)
                self.looks = before.closed
            if self._function is not None:
                seen.result = self._function(seen.result)
        found = tensors_in(seen.result)
        if not found:
            raise TypeError(
                f"the model gives {type(seen.result).__name__}, in which there is no tensor: let "
                "target be a function of its result"
            )
        result = found[0]
        if not result.is_floating_point():
            raise TypeError(f"the output is of {result.dtype}: only real numbers can be explained")
        (output, *inputs) = _nodes(seen, [result, *tensors])
        (output,) = seen_through([output])
        if not self._views:
            self.rowwise = bool(result.ndim) and result.shape[0] == rows and self._in_rows
        if self._function is not None and self.rowwise and result.ndim > 1:
            raise ValueError(
                f"a target function gives one number a row, {(rows,)}; it gave "
                f"{tuple(result.shape)}"
            )
        if not self.normalised and self._function is None:
            output = before_normaliser(output)
        leaves = [n for n in seen.leaves if all(k != "scope" for k, _ in n.attrs)]
        read = set(topological([output]))
        values = [_value(seen, n, n in read) for n in leaves]
        by_index: list[Any] = [None] * (1 + max((_index(n) for n in leaves), default=-1))
        for n, value in zip(leaves, values, strict=True):
            by_index[_index(n)] = value
        score = self._score(output, rows, by_index)
        variables = self._variables(score, inputs, by_index, rows)
        places = [[_index(n)] if n is not None else [] for n in inputs]
        return View(seen, output, score, variables, by_index, places, rows)

    def _has_rows(self, a: np.ndarray) -> bool:
        return self.rowwise and a.ndim > 0 and a.shape[0] == self.count

    def _score(self, output: Node, rows: int, arrays: list[Any]) -> Node:
        """One number a row: the chosen outputs are an input of the graph."""
        rows = rows if self.rowwise else 1
        size = int(np.prod(output.shape, dtype=np.int64))
        flat = ops.reshape(output, shape=(rows, size // max(rows, 1)))
        if self._choice is None:
            return ops.sum(flat, axis=(1,), keepdim=False)
        at = ops.input(index=len(arrays), shape=(rows, 1), dtype=dtypes.int64)
        arrays.append(self._choice[np.arange(rows) % self.count].reshape(rows, 1))
        self._choice_at = len(arrays) - 1
        return ops.reshape(ops.take_along(flat, at, axis=1), shape=(rows,))

    def _variables(
        self, score: Node, inputs: list[Node | None], arrays: list[Any], rows: int
    ) -> list[list[Variable]]:
        order = topological([score])
        found: list[list[Node]] = []
        spare: list[list[Node]] = []
        for leaf in inputs:
            direct = False
            rows_read: list[Node] = []
            others: list[Node] = []
            if leaf is not None and leaf.dtype.is_floating_point:
                direct = reaches(score, leaf)
            if leaf is not None and not direct and leaf.dtype.category in _REAL:
                rows_read, others = embeddings(order, leaf)
            found.append([leaf] if leaf is not None and direct else rows_read)
            spare.append([] if direct else others)
        if not any(found):  # as numbers, then: images of bytes
            found = spare
        out: list[list[Variable]] = []
        for leaf, nodes in zip(inputs, found, strict=True):
            group = []
            for node in nodes:
                free = ops.input(index=len(arrays), shape=node.shape, dtype=node.dtype)
                arrays.append(None)
                if node is leaf or leaf is None:
                    group.append(Variable(node, free))
                else:
                    group.append(Variable(node, free, *places_of(node, leaf, rows)))
            out.append(group)
        if not any(out):
            raise GradientError(
                "the output does not depend on the inputs by anything with a derivative, nor by "
                "rows that are read at them (embeddings)"
            )
        return out

    # ------------------------------------------------------------------ computing

    def run(self, view: View, nodes: Sequence[Node]) -> list[np.ndarray]:
        """Values at the inputs that were given."""
        return [np.asarray(v) for v in programs.run(tuple(nodes), view.arrays)]

    def at_arrays(self, view: View, node: Node, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """One value of the graph, at other inputs of it: rows first."""
        (value,) = programs.run((node,), arrays)
        (found,) = (v.by_rows(np.asarray(value), view.rows) for v in view.all if v.node is node)
        return self._rows([found])[0]

    def values(self) -> list[np.ndarray]:
        """The variables at the inputs that were given: a row each."""
        view = self.view(self.count)
        return self.by_rows(view, self.run(view, [v.node for v in view.all]))

    def by_rows(self, view: View, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        """What was found for the variables' nodes, rows first."""
        pairs = zip(values, view.all, strict=True)
        return self._rows([v.by_rows(a, self.count) for a, v in pairs])

    def _rows(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [np.array(a) if self.rowwise else np.array(a)[None] for a in arrays]

    def evaluate(
        self, points: Sequence[np.ndarray], which: np.ndarray,
        make: Callable[[View], Sequence[Node]] = View.at_variables,
    ) -> list[np.ndarray]:  # fmt: skip
        """What `make` asks of the graph (the score, then something for each variable), at `points`:
        of each variable an array of points, each of them a row's of the model (`which`). Computed
        so many rows at a time.
        """
        rows = self.rows_for(len(which))
        made: list[list[np.ndarray]] = []
        for start in range(0, len(which), rows):
            here = np.arange(start, min(start + rows, len(which)))
            short = rows - len(here)
            padded = np.concatenate([here, np.full(short, here[0])]) if short else here
            out = self._at([p[padded] for p in points], which[padded], make, rows)
            made.append([o[: len(here)] for o in out])
        return [np.concatenate(parts) for parts in zip(*made, strict=True)]

    def rows_for(self, points: int) -> int:
        """How many rows are computed at a time, of so many. Few different numbers: each is another
        program.
        """
        if not self.rowwise:
            return 1
        if self.batch_size is not None:
            return max(1, self.batch_size)
        if self.looks:
            return self.count
        return self.count if points <= self.count else max(ROWS, self.count)

    def _at(
        self, points: list[np.ndarray], which: np.ndarray, make: Any, rows: int
    ) -> list[np.ndarray]:
        inputs = [a[which] if self._has_rows(a) else a for a in self.arrays]
        again: list[np.ndarray] | None = None
        if self.looks:  # the way may be another one: call it at the point itself
            again, k = [], 0
            view = self.view(self.count)
            for a, group in zip(inputs, view.variables, strict=True):
                direct = len(group) == 1 and not group[0].tokens
                again.append((points[k] if self.rowwise else points[k][0]) if direct else a)
                k += len(group)
        view = self.view(rows, again)
        arrays = list(view.arrays)
        if self.rowwise:
            for places, a in zip(view.places, inputs, strict=True):
                for i in places:
                    arrays[i] = np.ascontiguousarray(a)
        if self._choice is not None:
            arrays[self._choice_at] = self._choice[which].reshape(-1, 1)
        for v, p in zip(view.all, points, strict=True):
            value = v.back(p if self.rowwise else p[0])
            arrays[_index(v.free)] = np.ascontiguousarray(value, v.free.dtype.np)
        score, *slopes = [np.asarray(o) for o in programs.run(tuple(make(view)), arrays)]
        pairs = zip(slopes, view.all, strict=False)
        return [score, *self._rows([v.by_rows(a, rows) for a, v in pairs])]

    def scores(self, inputs: Sequence[np.ndarray], which: np.ndarray) -> np.ndarray:
        """Scores at other inputs (not variables): rows that replace those of the model."""
        rows = self.rows_for(len(which))
        out: list[np.ndarray] = []
        for start in range(0, len(which), rows):
            here = np.arange(start, min(start + rows, len(which)))
            padded = np.concatenate([here, np.full(rows - len(here), here[0])])
            given = [
                np.ascontiguousarray(a[padded] if self.rowwise else a[padded[0]]) for a in inputs
            ]
            view = self.view(rows, given if self.looks else None)
            arrays = list(view.arrays)
            for places, a in zip(view.places, given, strict=True):
                for i in places:
                    arrays[i] = a
            if self._choice is not None:
                arrays[self._choice_at] = self._choice[which[padded]].reshape(-1, 1)
            (found,) = programs.run((view.score,), arrays)
            out.append(np.asarray(found)[: len(here)])
        return np.concatenate(out)

    # ------------------------------------------------------------------ giving back

    def per_input(
        self, values: Sequence[np.ndarray], reduce: Callable[..., np.ndarray] = np.sum
    ) -> list[np.ndarray | None]:
        """What was found for the variables (rows first), as arrays of the inputs' shapes: for
        tokens `reduce`d over their features. None: an input of which nothing is varied.
        """
        out: list[np.ndarray | None] = []
        k = 0
        for a, group in zip(self.arrays, self.view(self.count).variables, strict=True):
            parts = []
            for v in group:
                value = values[k]
                k += 1
                if v.places is not None:
                    entries = reduce(value.reshape(len(v.places), -1), axis=-1)
                    value = np.zeros(a.size, entries.dtype)
                    np.add.at(value, v.places, entries)
                parts.append(value.reshape(a.shape))
            out.append(np.sum(parts, axis=0) if parts else None)
        return out


# ---------------------------------------------------------------------- helpers


@contextmanager
def evaluation(model: Any) -> Iterator[None]:
    """Evaluation mode for a model of either face, and afterwards what it was; random streams go on
    where they were, too.
    """
    streams = [(g, g.position) for g in map(stream, STREAMS)]
    modules = list(model.modules()) if isinstance(model, Module) else []
    was = [m.training for m in modules]
    try:
        for m in modules:
            m.training = False
        with context.scope(training=False):
            yield
    finally:
        for m, mode in zip(modules, was, strict=True):
            m.training = mode
        for g, position in streams:
            g.position = position


def _array(leaf: Any) -> np.ndarray:
    if isinstance(leaf, Tensor):
        return np.array(leaf.detach()._concrete())
    array = np.asarray(leaf)
    if array.dtype == object:
        raise TypeError(f"inputs are tensors and arrays, got {type(leaf).__name__}")
    if array.dtype == np.float64:  # as frameworks take data
        return array.astype(dtypes.get_default_dtype().np)
    return array


def _channels(model: Any, x: np.ndarray) -> str | None:
    """Where an image's channels are: "first" or "last"; None: it is no image."""
    if x.ndim != 4 or x.dtype.kind not in "fu":
        return None
    first, last = x.shape[1] in (1, 2, 3, 4), x.shape[-1] in (1, 2, 3, 4)
    if first != last:
        return "first" if first else "last"
    return "last" if is_keras(model) else "first"


def _nodes(seen: Observation, tensors: Sequence[Tensor]) -> list[Any]:
    out: list[Any] = []
    for t in tensors:
        try:
            out.append(seen.nodes_of([t])[0])
        except ValueError:  # an input that the model does not read
            out.append(None)
    if out[0] is None:
        raise GradientError("the output is not part of what the model recorded")
    return out


def _value(seen: Observation, leaf: Node, read: bool) -> np.ndarray | None:
    array = seen.arrays.get(leaf)
    if array is None:
        tensor = seen.leaves[leaf]
        if tensor is None:
            if not read:
                return None
            raise GradientError("the value of an input of the graph is not known any more")
        array = tensor.detach()._concrete()
    return np.asarray(array)


def _index(leaf: Node) -> int:
    return int(leaf.attr("index"))


def seen_through(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Graphs without the boundaries of functions whose gradient the user wrote: what is explained
    is what they compute.
    """
    found = tuple(nodes)
    while True:
        mapping: dict[Node, Node] = {}
        for n in topological(found):
            if n.op.name == "item" and n.inputs[0].op.name == "boundary":
                boundary = n.inputs[0]
                inside = boundary.inputs[n.attr("index")]
                if inside.op.name == "stop_gradient":
                    inside = inside.inputs[0]
                given = boundary.inputs[boundary.attr("outputs") :]
                (mapping[n],) = substitute([inside], {ops.stop_gradient(i): i for i in given})
        if not mapping:
            return found
        found = substitute(found, mapping)


def before_normaliser(output: Node) -> Node:
    """The scores that a softmax or sigmoid at the end of a model is given."""
    moves: list[Node] = []
    node = output
    while node.op.name in MOVES:
        moves.append(node)
        node = node.inputs[0]
    if node.op.name not in _NORMALISERS:
        return output
    node = node.inputs[0]
    for move in reversed(moves):
        node = move.op.make((node,), move.attrs)
    return node


__all__ = ["ROWS", "Subject", "Variable", "View", "before_normaliser", "evaluation", "seen_through"]
