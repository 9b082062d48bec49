"""Names: W^{(l)}, z^{(l)}, δ^{(l)}. l counts the layers that have parameters, as they are used.

Layers that stand in a row and have the same structure are one block with an index: what is inside
is W^{(k,l)}, and k counts the blocks. Which equations of a block are the same is found later; until
then k is kept between marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from chainrule.explain.observe import Call

#: Block k of run r, as it stands in TeX until it is known whether it is written as a letter.
MARK = re.compile("\u27e6(\\d+):(\\d+)\u27e7")


class Block(NamedTuple):
    """One of several layers of the same structure."""

    run: int
    k: int
    path: str


class Run(NamedTuple):
    """Layers of one structure, one after another."""

    paths: tuple[str, ...]
    title: str


class Blocks:
    """Which layers repeat each other."""

    def __init__(self, calls: Sequence[Call], owners: Iterable[str]) -> None:
        self.runs: list[Run] = []
        self.owners = set(owners)
        for call in calls:
            if call.parent is None:
                self._search(call)
        self.index = {
            p: Block(r, k, p) for r, run in enumerate(self.runs) for k, p in enumerate(run.paths, 1)
        }

    def _search(self, call: Call) -> None:
        """Outermost runs first: what is inside a repeated block is not searched again."""
        inside = [c for c in call.children if c.children or self._owns(c.path)]
        done: set[str] = set()
        i = 0
        while i < len(inside):
            shape = self._structure(inside[i])
            j = i + 1
            while j < len(inside) and self._structure(inside[j]) == shape:
                j += 1
            group = inside[i:j]
            paths = [c.path for c in group]
            if len(group) > 1 and inside[i].children and len(set(paths)) == len(paths):
                self.runs.append(Run(tuple(paths), title(paths)))
                done.update(paths)
            i = j
        for c in inside:
            if c.path not in done:
                self._search(c)

    def _structure(self, call: Call) -> tuple[object, ...]:
        return tuple((c.kind, c.path.removeprefix(call.path)) for c in call.walk())

    def _owns(self, path: str) -> bool:
        return any(o == path or o.startswith((path + ".", path + "/")) for o in self.owners)

    def of(self, path: str) -> Block | None:
        """The block that a layer is in."""
        at = len(path)
        while at > 0:
            if path[:at] in self.index:
                return self.index[path[:at]]
            at = max(path.rfind(".", 0, at), path.rfind("/", 0, at))
        return None


def title(paths: list[str]) -> str:
    """layers.0, layers.1, … as layers.k"""
    numbers = [re.search(r"\d+(?!.*\d)", p) for p in paths]
    if all(numbers):
        first, last = numbers[0], numbers[-1]
        assert first is not None and last is not None
        head = paths[0]
        return f"{head[: first.start()]}{first[0]}…{last[0]}{head[first.end() :]}"
    return ", ".join(paths)


_MEMBERS = {
    "weight": "W", "kernel": "W", "bias": "b", "gamma": r"\gamma", "beta": r"\beta",
    "embeddings": "E", "depthwise_kernel": "W_{d}", "pointwise_kernel": "W_{p}",
    "recurrent_kernel": "U", "in_proj_weight": "W_{QKV}", "in_proj_bias": "b_{QKV}",
    "q_proj_weight": "W_{Q}", "k_proj_weight": "W_{K}", "v_proj_weight": "W_{V}",
    "bias_k": "k", "bias_v": "v", "running_mean": r"\bar{\mu}", "running_var": r"\bar{v}",
    "moving_mean": r"\bar{\mu}", "moving_variance": r"\bar{v}",
}  # fmt: skip
_ROLES = {
    "q": "Q", "k": "K", "v": "V", "query": "Q", "key": "K", "value": "V", "q_proj": "Q",
    "k_proj": "K", "v_proj": "V", "out_proj": "O", "o_proj": "O", "attention_output": "O",
    "wq": "Q", "wk": "K", "wv": "V", "wo": "O", "qkv": "QKV", "in_proj": "QKV", "c_attn": "QKV",
    "to_q": "Q", "to_k": "K", "to_v": "V", "to_out": "O", "query_key_value": "QKV",
}  # fmt: skip
_GATES = {"ih": "x", "hh": "h", "hr": "r"}


def owner(path: str) -> str:
    """The layer that a parameter belongs to."""
    cut = max(path.rfind("."), path.rfind("/"))
    return path[:cut] if cut > 0 else ""


def letter(path: str, *, table: bool = False, scale: bool = False) -> str:
    """The letter of a parameter. `table`: its rows are looked up; `scale`: it multiplies element by
    element, as in a normalisation."""
    last = re.split(r"[./]", path)[-1]
    role = _ROLES.get(re.split(r"[./]", owner(path))[-1].lower())
    recurrent = re.fullmatch(r"(weight|bias)_(ih|hh|hr)(?:_l(\d+))?(_reverse)?", last)
    if recurrent:
        kind, gate, layer, back = recurrent.groups()
        index = _GATES[gate] + (layer if layer and layer != "0" else "")
        return f"{'W' if kind == 'weight' else 'b'}_{{{index}{'<' if back else ''}}}".replace(
            "<", r"\leftarrow"
        )
    if table:
        return "P" if "pos" in path.lower() else "E"
    if scale and last == "weight":
        return r"\gamma"
    if scale and last == "bias":
        return r"\beta"
    base = _MEMBERS.get(last)
    if base is None:
        word = last.replace("_", r"\_")
        if "pos" in last.lower():
            return "P"
        return last if len(last) == 1 else rf"\mathrm{{{word}}}"
    return f"{base}_{{{role}}}" if role and base in ("W", "b") else base


class Names:
    """Hands out names with a superscript, each once."""

    def __init__(self, blocks: Blocks) -> None:
        self.blocks, self.taken = blocks, set[str]()
        self.counts: dict[Block | None, int] = {}
        self.numbers: dict[str, int] = {}

    def number(self, path: str) -> int:
        """l of a layer with parameters."""
        if path not in self.numbers:
            block = self.blocks.of(path)
            self.counts[block] = self.counts.get(block, 0) + 1
            self.numbers[path] = self.counts[block]
        return self.numbers[path]

    def above(self, path: str, number: int) -> str:
        """The superscript of what belongs to a layer."""
        block = self.blocks.of(path)
        if block is None:
            return f"({number})"
        run = "ABCDEFGH"[block.run % 8] if len(self.blocks.runs) > 1 else ""
        return f"({run}\u27e6{block.run}:{block.k}\u27e7,{number})"

    def new(self, base: str, above: str) -> str:
        """base^{above}, or with an index if that is taken."""
        name, n = f"{base}^{{{above}}}" if above else base, 1
        while name in self.taken:
            n += 1
            plain = re.fullmatch(r"(.*)_\{([^{}]*)\}", base)
            index = f"{plain[1]}_{{{plain[2]}{n}}}" if plain else f"{base}_{{{n}}}"
            name = f"{index}^{{{above}}}" if above else index
        self.taken.add(name)
        return name
