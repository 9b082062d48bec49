"""Text form of graphs, both ways, so that compiler tests are text in, text out.

    graph   = "graph" scope? "(" param ("," param)* ")" ":" NEWLINE statement* "return" name (","
    name)*
    scope   = what keeps the inputs of a loop's body apart from those of the graph around it
    param   = name ":" type
    statement = name "=" op "(" name ("," name)* ")" attributes? ":" type NEWLINE
    attributes = "{" key "=" python literal | dtype | graph ("," …)* "}"
    name    = "%" number;  type = dtype "[" sizes "]" | "(" type "," … ")"

>>> from chainrule import ops, dtypes
>>> x = ops.input(index=0, shape=(2, 3), dtype=dtypes.float32)
>>> print(print_graph([ops.exp(x) + 1.0]))
graph(%0: f32[2, 3]):
  %1 = exp(%0) : f32[2, 3]
  %2 = const() {value=1.0, dtype=f32} : f32[]
  %3 = add(%1, %2) : f32[2, 3]
  return %3
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any

from chainrule.dtypes import BY_SHORT, DType
from chainrule.errors import GraphError
from chainrule.ir.graph import Graph, topological
from chainrule.ir.node import Node, TensorType, Type
from chainrule.ir.op import registry


def print_type(t: Type) -> str:
    """`f32[2, 3]`, or a parenthesised list of such."""
    return str(t) if isinstance(t, TensorType) else "(" + ", ".join(map(str, t)) + ")"


def _value(v: Any) -> str:
    if isinstance(v, DType):
        return v.short
    if isinstance(v, Graph):
        body = print_graph(v.outputs, v.inputs).replace("\n", "; ")
        return f"<{body}>"
    if isinstance(v, complex):
        return f"complex({v.real!r}, {v.imag!r})"
    if isinstance(v, tuple):
        return "(" + ", ".join(_value(i) for i in v) + ("," if len(v) == 1 else "") + ")"
    return repr(v)


def print_graph(outputs: Sequence[Node], inputs: Sequence[Node] | None = None) -> str:
    """The graph under `outputs`, one node a line, in the order in which it would run."""
    order = topological(outputs)
    if inputs is None:
        inputs = sorted((n for n in order if n.op.name == "input"), key=lambda n: n.attr("index"))
    names = {n: f"%{i}" for i, n in enumerate(inputs)}
    head = ", ".join(f"{names[n]}: {print_type(n.type)}" for n in inputs)
    scope = dict(inputs[0].attrs).get("scope") if inputs else None
    lines = [f"graph {scope}({head}):" if scope else f"graph({head}):"]
    for node in order:
        if node in names:
            continue
        names[node] = f"%{len(names)}"
        args = ", ".join(names[i] for i in node.inputs)
        attrs = ", ".join(f"{k}={_value(v)}" for k, v in node.attrs)
        text = f"  {names[node]} = {node.op.name}({args})"
        lines.append(text + (f" {{{attrs}}}" if attrs else "") + f" : {print_type(node.type)}")
    lines.append("  return " + ", ".join(names[o] for o in outputs))
    return "\n".join(lines)


_HEAD = re.compile(r"graph(?: (\w+))?\((.*)\):\s*$")
_STATEMENT = re.compile(r"(%\d+) = (\w+)\(([^()]*)\)(?: \{(.*)\})? : (.+)$")
_TYPE = re.compile(r"(\w+)\[([^\]]*)\]")


def parse_type(text: str) -> Type:
    """The inverse of `print_type`."""
    found = [
        TensorType(tuple(int(s) for s in m[2].split(",") if s.strip()), BY_SHORT[m[1]])
        for m in _TYPE.finditer(text)
    ]
    return tuple(found) if text.startswith("(") else found[0]


def _split(text: str) -> list[str]:
    """Split at commas that stand outside brackets and quotes."""
    parts, depth, start, quoted = [], 0, 0, False
    for i, c in enumerate(text):
        quoted ^= c == "'"
        if quoted:
            continue
        depth += (c in "([{<") - (c in ")]}>")
        if c == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    last = text[start:].strip()
    return [*parts, last] if last else parts


def _parse_value(text: str) -> Any:
    if text in BY_SHORT:
        return BY_SHORT[text]
    if text.startswith("<"):
        return parse("\n".join(line.strip() for line in text[1:-1].split(";")))
    if text.startswith("complex("):
        return complex(*(float(p) for p in _split(text[len("complex(") : -1])))
    if text.startswith("("):
        return tuple(_parse_value(p) for p in _split(text[1:-1]))
    if text in ("inf", "-inf", "nan"):
        return float(text)
    return ast.literal_eval(text)


def parse(text: str) -> Graph:
    """Read a printed graph. Types are inferred again and must agree with the text."""
    lines = [s for line in text.strip().splitlines() if (s := line.strip())]
    head = _HEAD.match(lines[0])
    if head is None:
        raise GraphError(f"expected 'graph(…):', got {lines[0]!r}")
    names: dict[str, Node] = {}
    inputs = []
    for i, param in enumerate(_split(head[2])):
        name, _, type_text = param.partition(":")
        t = parse_type(type_text.strip())
        assert isinstance(t, TensorType)
        attrs = [("index", i), ("shape", t.shape), ("dtype", t.dtype)]
        names[name] = registry["input"].make(
            (), (*attrs, ("scope", head[1])) if head[1] else tuple(attrs)
        )
        inputs.append(names[name])
    for line in lines[1:-1]:
        m = _STATEMENT.match(line)
        if m is None:
            raise GraphError(f"cannot read {line!r}")
        name, op, args, attributes, type_text = m.groups()
        if op not in registry:
            raise GraphError(f"unknown op {op!r} in {line!r}")
        pairs = [a.partition("=") for a in _split(attributes or "")]
        node = registry[op].make(
            tuple(names[a] for a in _split(args)), tuple((k, _parse_value(v)) for k, _, v in pairs)
        )
        if node.type != parse_type(type_text):
            raise GraphError(f"{line!r} says {type_text}, inferred {print_type(node.type)}")
        names[name] = node
    if not lines[-1].startswith("return"):
        raise GraphError(f"expected 'return …', got {lines[-1]!r}")
    return Graph(inputs, [names[n] for n in _split(lines[-1][len("return") :])])
