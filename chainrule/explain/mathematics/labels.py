"""How the axes of a value are read: as rows of a matrix, or as letters n, t, p, q.

An activation is a column vector that depends on n (the sample), t (the position in a sequence) or
p, q (the place in an image): its features are *row* 0, all else has a letter. A parameter is read
as it lies: rows 0, 1, …. Scores between positions are matrices: rows 0 and 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from chainrule.explain.mathematics.axes import Axes, Known, Terms
from chainrule.ir.graph import depends_on
from chainrule.ir.node import Node, TensorType

#: A row, a letter, several letters (axes that were put together), or None: not to be seen.
Label = int | str | tuple[str, ...] | None
Labelled = tuple[Label, ...]

_POOL = "tsuvrgabdflo"
ROWS = "ijk"  # rows 0, 1, 2 in sums


class Labels:
    """The labels of every value of a graph."""

    def __init__(
        self, axes: Axes, order: Sequence[Node], weights: Iterable[Node], data: Sequence[Node]
    ) -> None:
        self.axes = axes
        self.weights = set(weights)
        tensors = [n for n in order if isinstance(n.type, TensorType)]
        roots = [n for n in order if n.op.name == "input" and n not in self.weights]
        self.active = depends_on(order, [*roots, *data])
        self.lies = depends_on(order, self.weights) - self.active
        self.letters: dict[int, str] = {}
        self.matrix: dict[Node, tuple[int, int]] = {}
        self.declared: dict[Node, Labelled] = {}
        self.shaped: dict[Known, Labelled] = {}
        self.features = {t for w in self.weights for t in axes.of(w) if t}
        self.contracted: set[Terms] = set()
        self.channels: set[Terms] = set()
        self.kernels: set[Terms] = set()  # axes of what multiplies: heads are some of them
        for n in tensors:
            self._contraction(n)
        for n in tensors:
            self._spread(n)
        for n in reversed(tensors):  # what a matrix is multiplied by is one as well: a mask
            if n in self.matrix and n.op.elementwise:
                for i in n.inputs:
                    if i.shape == n.shape and i in self.active and i.op.name != "linear":
                        self.matrix.setdefault(i, self.matrix[n])
        for n in order:
            if n.op.name in ("conv", "conv_transpose"):
                places = axes.of(n.inputs[0])[2:]
                for letter, terms in zip("t" if len(places) == 1 else "pqr", places, strict=False):
                    if len(terms) == 1:
                        self.letters.setdefault(self._root(terms[0]), letter)
        for term in axes.scanned:
            for t in axes.find((term,)):
                self.letters.setdefault(self._root(t), "t")
        for n in sorted(data, key=lambda n: not n.dtype.is_floating_point or not n.shape):
            for terms in axes.of(n):
                if len(terms) != 1 or terms in self.features or "n" in self.letters.values():
                    continue
                self.letters.setdefault(self._root(terms[0]), "n")

    # ------------------------------------------------------------------ what a graph says

    def _contraction(self, n: Node) -> None:
        """Features are what is multiplied by weights; scores come from two activations."""
        if n.op.name in ("conv", "conv_transpose"):
            channels = {self.axes.of(n.inputs[0])[1], self.axes.of(n)[1]}
            self.contracted |= channels
            self.channels |= channels
            return
        inner = n
        while not inner.op.is_primitive and inner.op.name in ("matmul", "linear"):
            inner = inner.op.expand(inner)
            if inner.op.name == "add":
                inner = inner.inputs[0]
        if inner.op.name != "contract":
            return
        a, b = inner.inputs
        left, out = inner.attr("spec").split("->")
        la, lb = left.split(",")
        self.axes.learn([inner])
        if (a in self.active and b in self.lies) or (b in self.active and a in self.lies):
            self.kernels |= set(self.axes.of(b if b in self.lies else a))
            self.contracted |= {
                t for c, t in zip(la, self.axes.of(a), strict=True) if c in lb and c not in out
            }
            return
        rows = [c for c in la if c not in lb]
        columns = [c for c in lb if c not in la]
        summed = [c for c in la if c in lb and c not in out]
        if a not in self.active or len(rows) != 1 or len(columns) != 1 or len(summed) != 1:
            return
        self.matrix[n] = out.index(rows[0]), out.index(columns[0])
        for x, letters in ((a, la), (b, lb)):
            pair = sorted(letters.index(c) for c in letters if c in (*rows, *columns, *summed))
            self._back(x, (pair[0], pair[1]))

    def _back(self, x: Node, pair: tuple[int, int]) -> None:
        """Whatever a matrix is made of without being mixed is a matrix as well."""
        while x not in self.matrix and x.op.name != "contract":
            self.matrix[x] = pair
            same = [i for i in x.inputs if i.shape == x.shape]
            if x.op.name == "permute":
                order = x.attr("order")
                first, second = sorted(order[a] for a in pair)
                x, pair = x.inputs[0], (first, second)
            elif x.op.elementwise and len(same) == 1 and same[0].op.name != "linear":
                if any(i.shape and i not in self.active for i in x.inputs):
                    del self.matrix[x]
                    return
                x = same[0]
            else:
                return

    def _spread(self, n: Node) -> None:
        if n not in self.matrix and n.op.name not in ("contract", "matmul", "linear"):
            for i in n.inputs:
                if i in self.matrix and i.shape == n.shape and n.op.name != "reshape":
                    if n.op.name == "permute":
                        continue
                    self.matrix[n] = self.matrix[i]
                    return

    # ------------------------------------------------------------------ letters

    def _root(self, term: int) -> int:
        """The dimension that this one comes from: pixels of the first image."""
        seen: set[int] = set()
        while term in self.axes.kin and term not in seen:
            seen.add(term)
            (term, *rest) = self.axes.find((self.axes.kin[term],))
            if rest:
                return term
        return term

    def letter(self, term: int) -> str:
        """The letter of a dimension."""
        root = self._root(term)
        if root not in self.letters:
            parent = self.axes.find(self.axes.split.get(root, ()))
            if self._from_features(parent) or (root,) in self.kernels:  # heads, of every layer
                self.letters[root] = "h"
            else:
                used = set(self.letters.values())
                self.letters[root] = next((c for c in _POOL if c not in used), "s")
        return self.letters[root]

    def _from_features(self, terms: Terms) -> bool:
        """Whether this is a dimension of features, or a part of one."""
        known = self.features | self.contracted
        if terms in known:
            return True
        seen: set[Terms] = set()
        while len(terms) == 1 and terms[0] in self.axes.kin and terms not in seen:
            seen.add(terms)
            terms = self.axes.find((self.axes.kin[terms[0]],))
            if terms in known:
                return True
        return False

    def named(self, terms: Terms) -> Label:
        """The letter of an axis, or several."""
        if not terms:
            return None
        alone = len(terms) == 1 and self.axes.size(terms) == 1
        if alone and self._root(terms[0]) not in self.letters:
            return None  # nothing to be told apart
        return self.letter(terms[0]) if len(terms) == 1 else tuple(map(self.letter, terms))

    # ------------------------------------------------------------------ labels

    def natural(self, n: Node) -> Labelled:
        """How this value is read if nobody asks otherwise."""
        found = self.declared.get(n)
        if found is None:
            found = self.declared[n] = self._natural(n)
        return found

    def _natural(self, n: Node) -> Labelled:
        rank = len(n.shape)
        if n in self.weights or (n.op.name == "input" and n not in self.active):
            return tuple(range(rank))
        terms = self.axes.of(n)
        if terms in self.shaped and n not in self.matrix:
            return self.shaped[terms]
        rows: tuple[int, ...] = self.matrix.get(n, ())
        if not rows:
            score = [(3 if t in self.channels else self._is_feature(t)) if t else 0 for t in terms]
            best = max(score, default=0)
            last = score[-1] if score else 0
            if last and best < 3:  # features stand last, but for images of the first face
                rows = (rank - 1,)
            elif best:
                rows = (max(a for a, s in enumerate(score) if s == best),)
            elif rank >= 2 and n.dtype.is_floating_point and not self._plain(terms):
                rows = (rank - 1,)
        return self._with_rows(terms, rows)

    def _is_feature(self, t: Terms) -> int:
        """2: multiplied by weights; 1: an axis of a parameter; the last of the best is the row."""
        if t in self.contracted:
            return 2
        return int(t in self.features)

    def _plain(self, terms: Known) -> bool:
        """Whether all axes have got letters already: losses of samples and positions."""
        return all(
            len(t) == 1 and self._root(t[0]) in self.letters
            for t in terms
            if t and self.axes.size(t) != 1
        )

    def _with_rows(self, terms: Known, rows: tuple[int, ...]) -> Labelled:
        out: list[Label] = []
        for a, t in enumerate(terms):
            if a in rows:
                out.append(rows.index(a))
                continue
            name = self.named(t)
            if name is not None and name in out:  # the same axis twice: scores in one sequence
                free = [c for c in _POOL if c not in out]
                name = free[0]
            out.append(name)
        return tuple(out)

    def declare(self, n: Node, labels: Labelled) -> None:
        """A value with a name is read like this."""
        self.declared[n] = labels
        self.shaped.setdefault(self.axes.of(n), labels)


def letters_of(labels: Iterable[Label]) -> Iterator[str]:
    """All letters among labels, in order."""
    for a in labels:
        if isinstance(a, tuple):
            yield from a
        elif isinstance(a, str):
            yield a
