"""`chainrule check FILE.py:function`: are its gradients right, or why does it not learn?"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

_KEYS = ("model", "batch", "loss", "optimizer", "step", "evaluate")


@click.command()
@click.argument("where", metavar="FILE.py:FUNCTION")
@click.option("--why", is_flag=True, help="Search for reasons why it does not learn.")
@click.option("--order", type=click.IntRange(1, 2), default=1, show_default=True,
              help="2: second derivatives, too.")  # fmt: skip
@click.option("--directions", type=click.IntRange(1), default=2, show_default=True,
              help="Random directions for each parameter.")  # fmt: skip
@click.option("--backends/--no-backends", default=True, help="Compare compiled code with NumPy.")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True)
def check(where: str, why: bool, order: int, directions: int, backends: bool, lang: str) -> int:
    """Check the gradients of a model against finite differences, and its compiled code.

    FUNCTION takes nothing and gives (model, batch) or (model, batch, loss), or a dictionary with
    the keys model, batch, loss, optimizer, step, evaluate; batch is x or (x, y). The exit code is 0
    where nothing is wrong, else 1.
    """
    parts = _parts(_function(where), where)
    model, batch, loss = parts["model"], parts["batch"], parts.get("loss")
    if why:
        rest = {k: parts[k] for k in ("optimizer", "step", "evaluate") if k in parts}
        search = importlib.import_module("chainrule.explain.reasons")  # both faces: not at start
        reasons = search.why(model, batch, loss=loss, lang=lang, **rest)
        click.echo(str(reasons))
        return 1 if reasons.errors else 0
    checks = importlib.import_module("chainrule.explain.checking.check")
    found = checks.check(
        model, batch, loss=loss, order=order, directions=directions, backends=backends, lang=lang
    )
    click.echo(str(found))
    return 0 if found.ok else 1


def _function(where: str) -> Callable[[], Any]:
    """The function that `FILE.py:function` names."""
    file, colon, name = where.rpartition(":")
    if not colon or not file or not name:
        raise click.UsageError(f"{where!r}: give FILE.py:FUNCTION, for example model.py:example")
    path = Path(file)
    if not path.is_file():
        raise click.UsageError(f"{path} is no file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise click.UsageError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    sys.path.insert(0, str(path.parent.resolve()))
    spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        made = [n for n, v in vars(module).items()
                if callable(v) and getattr(v, "__module__", "") == path.stem]  # fmt: skip
        raise click.UsageError(
            f"{path} has no function {name!r}; it has {', '.join(made) or 'none'}"
        )
    found: Callable[[], Any] = function
    return found


def _parts(function: Callable[[], Any], where: str) -> dict[str, Any]:
    """What the function gives, by name."""
    given = function()
    if isinstance(given, Mapping):
        parts = dict(given)
        if "data" in parts:
            parts["batch"] = parts.pop("data")
        unknown = sorted(set(parts) - set(_KEYS))
        if unknown:
            raise click.UsageError(
                f"{where} gives {', '.join(unknown)}: its keys are {', '.join(_KEYS)}"
            )
    elif isinstance(given, tuple) and len(given) in (2, 3):
        parts = dict(zip(_KEYS, given, strict=False))
    else:
        raise click.UsageError(
            f"{where} must give (model, batch), (model, batch, loss) or a dictionary, it gave "
            f"{type(given).__name__}"
        )
    missing = [k for k in ("model", "batch") if k not in parts]
    if missing:
        raise click.UsageError(f"{where} gives no {' and no '.join(missing)}")
    return parts
