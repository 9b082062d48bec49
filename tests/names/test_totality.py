"""The names of PyTorch: those that programs use exist, with PyTorch's signatures; of the others it
is known which do not.

`torch.txt` has the names and signatures, `used.txt` those that public programs use, `missing.txt`
those that do not exist here (all by `scripts/torch_names.py`).
"""

import ast
import importlib
import inspect
import pathlib
import types
from collections import defaultdict
from typing import NamedTuple

import pytest

import chainrule

HERE = pathlib.Path(__file__).parent


def lines(file: str) -> list[str]:
    return [s for s in (HERE / file).read_text().splitlines() if not s.startswith("#")]


MISSING = set(lines("missing.txt"))
USED = list(dict.fromkeys(line.partition("\t")[0] for line in lines("used.txt")))
TABLE: dict[str, list[str]] = defaultdict(list)
for line in lines("torch.txt"):
    name, _, signature = line.partition("\t")
    TABLE[name] += [signature] if signature else []

#: Signatures that differ on purpose, and why.
DIFFERS = {
    line.partition("\t")[0]: line.partition("\t")[2] for line in lines("differs.txt")
}  # fmt: skip


def here(name: str):
    """What stands under a name of PyTorch here."""
    for theirs, ours in (("torchvision", "chainrule.vision"), ("torch", "chainrule")):
        if name.startswith(theirs + "."):
            name = ours + name[len(theirs) :]
            break
    parts = name.split(".")
    found = chainrule
    for i, part in enumerate(parts[1:], 1):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            if not isinstance(found, types.ModuleType):
                raise
            try:
                found = importlib.import_module(".".join(parts[: i + 1]))
            except ModuleNotFoundError:
                raise error from None
    return found


class Param(NamedTuple):
    name: str
    default: str | None
    kind: str  # "plain", "keyword", "*", "**"


def parse(signature: str) -> list[Param]:
    """The parameters in a line of the table."""
    out = []
    node = ast.parse(f"def f{signature.replace('=…', '=Ellipsis')}: pass").body[0]
    assert isinstance(node, ast.FunctionDef)
    a = node.args
    plain = [*a.posonlyargs, *a.args]
    defaults = [None] * (len(plain) - len(a.defaults)) + list(a.defaults)
    for p, d in zip(plain, defaults, strict=True):
        out.append(Param(p.arg, None if d is None else ast.unparse(d), "plain"))
    if a.vararg:
        out.append(Param(a.vararg.arg, None, "*"))
    for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True):
        out.append(Param(p.arg, None if d is None else ast.unparse(d), "keyword"))
    return out


def ours_of(value, method: bool) -> tuple[list[Param], bool, bool]:
    """Parameters here; whether any further positional, and any keyword, is taken."""
    found = inspect.signature(value)
    outer = inspect.signature(value, follow_wrapped=False)
    params = list(found.parameters.values())
    if method and params and params[0].kind is not params[0].VAR_POSITIONAL:
        params = params[1:]
    out = []
    for p in params:
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            default = None if p.default is p.empty else repr(p.default)
            out.append(Param(p.name, default, "plain"))
        elif p.kind is p.KEYWORD_ONLY:
            out.append(Param(p.name, None if p.default is p.empty else repr(p.default), "keyword"))
    out += [
        Param(p.name, repr(p.default), "keyword")
        for p in outer.parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.name not in found.parameters
    ]
    star = any(p.kind is p.VAR_POSITIONAL for p in params)
    stars = any(p.kind is p.VAR_KEYWORD for p in params)
    return out, star, stars


def same_default(a: str | None, b: str | None) -> bool:
    if a is None or b is None or "Ellipsis" in (a, b):
        return True
    try:
        return bool(ast.literal_eval(a) == ast.literal_eval(b))
    except ValueError:
        return True


#: Places and layouts of a tensor: taken where they are given, of which there is one here.
PLACES = {"layout", "memory_format", "names", "_subclass"}


def complaint(value, signature: str, method: bool) -> str | None:
    """What of a signature is not so here."""
    ours, star, stars = ours_of(value, method)
    plain = [p for p in ours if p.kind == "plain"]
    by_name = {p.name: p for p in ours}
    theirs = [p for p in parse(signature) if p.kind in ("plain", "keyword")]
    if theirs and theirs[0].name == "self":
        theirs = theirs[1:]
    for i, p in enumerate(theirs):
        if p.name in PLACES:
            continue
        mine = by_name.get(p.name)
        if p.kind == "plain":
            if star and (i >= len(plain) or mine is None):
                continue
            if i >= len(plain) or plain[i].name != p.name:
                where = plain[i].name if i < len(plain) else "nothing"
                if mine is not None and mine.kind == "keyword" and p.default is not None:
                    return f"{p.name} is keyword-only here"
                return f"argument {i + 1} is {p.name} in PyTorch, {where} here"
        if mine is None and not stars:
            return f"no argument {p.name}"
        if mine is not None and not same_default(p.default, mine.default):
            return f"default of {p.name}: {p.default} in PyTorch, {mine.default} here"
    return None


def complaints(name: str) -> str | None:
    """None if one signature of PyTorch fits, or there is none to compare."""
    value = here(name)
    signatures = TABLE.get(name, [])
    if not callable(value) or not signatures:
        return None
    try:
        inspect.signature(value)
    except (ValueError, TypeError):
        return None
    method = name.startswith("torch.Tensor.") and not isinstance(value, type)
    found = [complaint(value, s, method) for s in signatures]
    return None if None in found else found[0]


@pytest.mark.parametrize("name", USED)
def test_what_programs_use_exists(name: str) -> None:
    here(name)


@pytest.mark.parametrize("name", [n for n in USED if n not in DIFFERS])
def test_signatures_are_those_of_pytorch(name: str) -> None:
    assert complaints(name) is None


def test_what_is_missing_is_known() -> None:
    """A name that was there does not go; what does not exist says what is near."""
    gone = []
    for name in TABLE:
        if name in MISSING:
            continue
        try:
            here(name)
        except (AttributeError, ImportError, NotImplementedError):
            gone.append(name)
    assert not gone


def test_a_missing_name_says_what_is_near() -> None:
    cases = {
        "torch.nn.Lineer": "Linear", "torch.optim.Adamm": "Adam", "torch.zeross": "zeros",
        "torch.utils.data.Dataloader": "DataLoader",
        "torch.nn.functional.soft_max": "softmax", "torch.linalg.cholesky_": "cholesky",
        "torch.nn.init.xavier_unifrom_": "xavier_uniform_",
        "torch.cuda.is_avaliable": "is_available",
    }  # fmt: skip
    for name, near in cases.items():
        with pytest.raises(AttributeError, match=f"'{near}'"):
            here(name)


def test_a_tensor_catches_no_missing_names() -> None:
    """A class with `__getattr__` makes every look at a tensor slower: 0.3 µs an operation."""
    assert "__getattr__" not in vars(chainrule.Tensor)
    with pytest.raises(AttributeError, match="unsqueez"):
        chainrule.ones(2).unsqueez(0)
