"""Where an op and its gradient rule are written, and the lines themselves."""

from __future__ import annotations

import ast
import functools
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import chainrule
from chainrule.ir.op import Op, registry

ROOT = Path(chainrule.__file__).parent.parent
_LONGEST = 70


class Excerpt(NamedTuple):
    """Some lines of a file of the project; the first has this number."""

    file: str
    line: int
    text: str


class Written(NamedTuple):
    """The definition of an op, and its gradient rule where it is apart from that."""

    definition: list[Excerpt]
    rule: list[Excerpt]


def written(op: Op) -> Written:
    """Where an op stands. A rule in the same row as its op is not told again; what a row names
    with an underscore stands beside it."""
    known, rules = _index()
    definition = [known[op.name]] if op.name in known else []
    if not definition:
        definition = [found] if (found := excerpt_of(op.formula or op.reference)) else []
    rule = list(rules.get(op.name, []))
    if op.gradient is not None and not rule:
        own = excerpt_of(op.gradient)
        if own and not any(_inside(own, d) for d in definition):
            rule.append(own)
    for part in [*definition, *rule]:
        rule += [e for e in _helpers(part) if e not in rule and e not in definition]
    return Written(definition, rule)


def excerpt_of(f: Callable[..., Any] | type | None) -> Excerpt | None:
    """The lines of a function or class of the project."""
    if f is None:
        return None
    f = inspect.unwrap(f)
    try:
        file = Path(inspect.getsourcefile(f) or "")
        if not file.is_relative_to(ROOT):
            return None
        if f.__qualname__ in _definitions(file):
            return _excerpt(file, *_definitions(file)[f.__qualname__])
        if isinstance(f, type):
            return None
        lines, first = inspect.getsourcelines(f)
    except (TypeError, OSError):  # NumPy's own
        return None
    return _excerpt(file, first, first + len(lines) - 1)


@functools.cache
def _definitions(file: Path) -> dict[str, tuple[int, int]]:
    """Functions and classes of a file by their qualified names: first and last line."""
    found: dict[str, tuple[int, int]] = {}

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for n in body:
            if isinstance(n, (ast.FunctionDef, ast.ClassDef)):
                first = min([n.lineno, *(d.lineno for d in n.decorator_list)])
                found[prefix + n.name] = first, n.end_lineno or n.lineno
                if isinstance(n, ast.ClassDef):
                    visit(n.body, f"{prefix}{n.name}.")

    visit(_tree(file).body, "")
    return found


@functools.cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _inside(a: Excerpt, b: Excerpt) -> bool:
    return a.file == b.file and b.line <= a.line <= b.line + b.text.count("\n")


def _excerpt(file: Path, first: int, last: int) -> Excerpt:
    lines = _lines(file)[first - 1 : last]
    more = ["    …"] if len(lines) > _LONGEST else []
    text = "\n".join([*lines[:_LONGEST], *more])
    return Excerpt(file.relative_to(ROOT).as_posix(), first, text)


@functools.cache
def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


@functools.cache
def _index() -> tuple[dict[str, Excerpt], dict[str, list[Excerpt]]]:
    """Ops by the statement that defines them, and rules by `@op.vjp`."""
    known: dict[str, Excerpt] = {}
    rules: dict[str, list[Excerpt]] = {}
    for file in sorted((ROOT / "chainrule" / "ops").rglob("*.py")):
        variables: dict[str, str] = {}
        for n in _tree(file).body:
            decorators = [ast.unparse(d) for d in getattr(n, "decorator_list", [])]
            first = min([n.lineno, *(d.lineno for d in getattr(n, "decorator_list", []))])
            here = _excerpt(file, first, n.end_lineno or n.lineno)
            owner = next((d.removesuffix(".vjp") for d in decorators if d.endswith(".vjp")), None)
            if owner is not None:
                rules.setdefault(variables.get(owner, owner), []).append(here)
            elif isinstance(n, ast.FunctionDef) and decorators and n.name in registry:
                known.setdefault(n.name, here)
                variables[n.name] = n.name
            elif not isinstance(n, (ast.FunctionDef, ast.ClassDef)):
                for name in _named(n):
                    known.setdefault(name, here)
                    for target in getattr(n, "targets", []):
                        variables[ast.unparse(target)] = name
    return known, rules


def _named(statement: ast.stmt) -> list[str]:
    """Ops that a statement makes: calls whose first argument is an op's name."""
    return [
        c.args[0].value
        for c in ast.walk(statement)
        if isinstance(c, ast.Call) and c.args and isinstance(c.args[0], ast.Constant)
        and isinstance(c.args[0].value, str) and c.args[0].value in registry
    ]  # fmt: skip


@functools.cache
def _private(file: str) -> dict[str, Excerpt]:
    path = ROOT / file
    body = _tree(path).body
    return {
        n.name: _excerpt(path, n.lineno, n.end_lineno or n.lineno)
        for n in body if isinstance(n, ast.FunctionDef) and re.match(r"_[a-z]", n.name)
    }  # fmt: skip


def _helpers(part: Excerpt) -> list[Excerpt]:
    """Private functions that a piece of source calls, except for types."""
    private = _private(part.file)
    plain = "\n".join(s for s in part.text.splitlines() if not s.startswith("@"))
    called = dict.fromkeys(re.findall(r"\b(_[a-z]\w*)\(", plain))
    return [
        private[n] for n in called
        if n in private and not n.endswith("_type") and not _inside(private[n], part)
    ]  # fmt: skip


def class_of(kind: type) -> list[Excerpt]:
    """A class; where a row of a table makes it, the row, and what it calls."""
    own = excerpt_of(kind)
    if own is not None:
        return [own]
    module = inspect.getmodule(kind)
    file = Path(getattr(module, "__file__", None) or "")
    found = []
    if file.is_relative_to(ROOT):
        for n in _tree(file).body:
            targets = getattr(n, "targets", [])
            names = {s.strip("( )") for t in targets for s in ast.unparse(t).split(",")}
            told = {c.value for c in ast.walk(n) if isinstance(c, ast.Constant)}
            if kind.__name__ in names | told and not isinstance(n, (ast.FunctionDef, ast.ClassDef)):
                found.append(_excerpt(file, n.lineno, n.end_lineno or n.lineno))
                break
    behind = [getattr(kind, "function", None), kind.__mro__[1]]
    if behind[0] is not None:
        behind.pop()
    return [*found, *(e for f in behind if (e := excerpt_of(f)) is not None)]
