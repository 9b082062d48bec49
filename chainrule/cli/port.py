"""`chainrule port`: change the import lines of programs written for PyTorch or Keras, and no more.

Every other byte of a program stays as it is: the statements are found in its syntax tree and
replaced where they stand.
"""

from __future__ import annotations

import ast
import io
import json
import re
import shutil
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from chainrule.errors import ChainruleError

#: Rooms of TensorFlow that are modules there.
_ROOMS = """
    autograph compat config debugging distribute image io linalg lookup math nest nn random signal
    strings summary test train
"""
#: Package of the program → ours. The longest name that fits counts.
PACKAGES = {
    "torch": "chainrule",
    "torchvision": "chainrule.vision",
    "einops.layers.torch": "einops.layers.chainrule",
    "keras": "chainrule.keras",
    "keras.api": "chainrule.keras",
    "tensorflow": "chainrule",
    "tensorflow.python.keras": "chainrule.keras",
    "tensorflow.contrib.keras": "chainrule.keras",
    "tensorflow.keras.api._v2.keras": "chainrule.keras",
    **{f"tensorflow.{room}": f"chainrule.tensorflow.{room}" for room in _ROOMS.split()},
    "tensorflow.errors": "chainrule.data.errors",
    "tensorflow.compat.v2": "chainrule",
    "tf_keras": "chainrule.keras",
}


class PortError(ChainruleError):
    """A program that cannot be read as Python."""


@click.command()
@click.argument("program", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path),
    help="Where to write: a file, or a folder for a folder. Printed by default (one file only).",
)  # fmt: skip
def port(program: Path, output: Path | None) -> int:
    """Change the import lines of PROGRAM (a file, a notebook or a folder) so that it runs here.

    `import torch` becomes `import chainrule as torch`, `import torchvision.transforms as T`
    becomes `import chainrule.vision.transforms as T`, `from tensorflow import keras` becomes
    `from chainrule import keras`. Nothing else is changed, and PROGRAM itself never is.
    """
    if program.is_dir():
        if output is None:
            raise click.UsageError("a folder needs --output, the folder to write")
        click.echo(f"{folder(program, output)} files with other import lines in {output}")
    elif output is None:
        click.echo(file(program), nl=False)
    else:
        output = output / program.name if output.is_dir() else output
        output.write_text(file(program), encoding="utf-8")
    return 0


def folder(source: Path, target: Path) -> int:
    """Copy a folder with its programs ported; gives how many were changed."""
    if target.exists():
        raise PortError(f"{target} exists: name a folder that does not")
    if target.resolve().is_relative_to(source.resolve()):
        raise PortError(f"{target} lies within {source}: name a folder beside it")
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    changed = 0
    for path in sorted(target.rglob("*")):
        if path.suffix in (".py", ".ipynb") and path.is_file():
            try:
                before, after = path.read_text(encoding="utf-8"), file(path)
            except PortError as error:
                click.echo(f"left as it is: {error}", err=True)
                continue
            if after != before:
                path.write_text(after, encoding="utf-8")
                changed += 1
    return changed


def file(path: Path) -> str:
    """The text of a program or notebook with its import lines changed."""
    try:
        if path.suffix == ".ipynb":
            return notebook(path.read_text(encoding="utf-8"))
        with tokenize.open(path) as opened:  # honours the file's own coding line
            return ported(opened.read())
    except (SyntaxError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise PortError(f"{path} cannot be read as Python: {error}") from error


def notebook(text: str) -> str:
    """A notebook with the import lines of its code cells changed."""
    content = json.loads(text)
    for cell in content.get("cells", ()):
        if cell.get("cell_type") == "code":
            source: Any = cell["source"]
            changed = ported("".join(source))
            cell["source"] = changed if isinstance(source, str) else changed.splitlines(True)
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def ported(source: str) -> str:
    """The program with its import lines changed.

    >>> ported("import torch, os\\nfrom torch.nn import functional as F  # losses")
    'import chainrule as torch, os\\nfrom chainrule.nn import functional as F  # losses'
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:  # lines of IPython (%magic, !shell): blank while parsing, kept in the text
        tree = ast.parse(re.sub(r"^[ \t]*[%!].*$", _blank, source, flags=re.MULTILINE))
    lines = io.StringIO(source, newline="").readlines()
    for start, end, text in sorted(_replacements(tree, lines), reverse=True):
        (first, left), (last, right) = start, end
        tail = lines[last].encode()[right:].decode()
        lines[first : last + 1] = [lines[first].encode()[:left].decode() + text + tail]
    return "".join(lines)


def _blank(line: re.Match[str]) -> str:
    text = line.group()
    return text[: len(text) - len(text.lstrip())] + "pass"


_Place = tuple[int, int]  # line from 0, byte in it: what a syntax tree counts in


def _replacements(tree: ast.AST, lines: list[str]) -> Iterator[tuple[_Place, _Place, str]]:
    """Where an import statement changes, and into what."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and any(_ours(alias.name) for alias in node.names):
            pieces = [piece for alias in node.names for piece in _pieces(alias)]
            text = "import " + ", ".join(dict.fromkeys(pieces))
            assert node.end_lineno is not None and node.end_col_offset is not None
            start = (node.lineno - 1, node.col_offset)
            yield start, (node.end_lineno - 1, node.end_col_offset), text
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            ours = _ours(node.module)
            if ours:  # only the name of the module: what is imported keeps its layout and comments
                line = lines[node.lineno - 1].encode()
                left = line.index(node.module.encode(), node.col_offset)
                place = node.lineno - 1
                yield (place, left), (place, left + len(node.module.encode())), ours


def _ours(module: str) -> str | None:
    """Our name of a module, or None where it is somebody else's."""
    for theirs in sorted(PACKAGES, key=len, reverse=True):
        if module == theirs or module.startswith(theirs + "."):
            return PACKAGES[theirs] + module[len(theirs) :]
    return None


def _pieces(alias: ast.alias) -> list[str]:
    """`a.b as c` stays one piece; `a.b` alone also binds `a`, which needs a second."""
    ours = _ours(alias.name)
    if ours is None:
        return [f"{alias.name} as {alias.asname}" if alias.asname else alias.name]
    if alias.asname:
        return [f"{ours} as {alias.asname}"]
    top = alias.name.partition(".")[0]
    bound = f"{_ours(top) or top} as {top}" if _ours(top) != top else top
    return [bound] if alias.name == top else [ours, bound]
