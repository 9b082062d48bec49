"""`chainrule doctor`: what machine, backends, threads, caches and data there are."""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from chainrule import compiler, datasets
from chainrule._version import __version__
from chainrule.backends.llvm import peak
from chainrule.dtypes import float32
from chainrule.errors import ChainruleError, DataError
from chainrule.ops import input as graph_input
from chainrule.ops import sum as node_sum
from chainrule.runtime.machine import machine, numpy_config
from chainrule.tensor import creation

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)

#: Package → what it adds.
_OPTIONAL = {
    "pillow": "image files",
    "jax": "GPU, TPU, clusters",
    "onnx": "ONNX files",
    "scikit-learn": "more data sets",
    "torch": "comparisons",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> int:
    """Say what machine, backends, threads, caches and data there are, and what is wrong with them.

    The exit code is 0 where nothing is wrong, else 1.
    """
    found = examine()
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        _show(found)
    return 1 if found["problems"] else 0


def examine() -> dict[str, Any]:
    """Everything that `doctor` says, as plain values."""
    problems: list[str] = []
    report: dict[str, Any] = {
        "versions": {
            "chainrule": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "machine": machine(),
        "backends": {"reference": _check_reference(problems), "llvm": _check_native(problems)},
        "threads": _threads(),
        "speed": _speed(),
        "caches": {"data": _folder(datasets.cache_root())},
        "data": _data(problems),
        "optional": {name: f"{_version(name)} ({adds})" for name, adds in _OPTIONAL.items()},
    }
    return report | {"problems": problems}


def _threads() -> dict[str, Any]:
    blas = numpy_config("Build Dependencies").get("blas", {})
    return {
        "BLAS": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
        **{name: os.environ.get(name, "not set") for name in _THREAD_VARIABLES},
    }


def _speed() -> dict[str, Any]:
    """What the machine reaches at best: shares of the peak in summaries are of these."""
    best = peak.measured()
    return {
        "threads of a program": best.threads,
        "multiply-adds, GFLOP/s": round(best.flops / 1e9, 1),
        "memory, GB/s": round(best.bandwidth / 1e9, 1),
    }


def _check_native(problems: list[str]) -> str:
    """A program that is compiled now: Σ i² for i < 4 is 14."""
    try:
        x = graph_input(index=0, shape=(4,), dtype=float32)
        (value,) = compiler.native([node_sum(x * x)])([np.arange(4, dtype=np.float32)])
    except ChainruleError as error:
        problems.append(f"the compiled backend fails: {error}")
        return "broken"
    if value != 14:
        problems.append(f"the compiled backend says that 0² + 1² + 2² + 3² is {value}; it is 14")
        return "wrong"
    return f"works (llvmlite {_version('llvmlite')})"


def _check_reference(problems: list[str]) -> str:
    """A gradient whose value everybody knows: d(x² + 2x)/dx at 3 is 8."""
    x = creation.tensor(3.0, requires_grad=True)
    try:
        (x**2 + 2 * x).backward()
        slope = None if x.grad is None else x.grad.item()
    except ChainruleError as error:
        problems.append(f"the reference backend fails: {error}")
        return "broken"
    if slope != 8.0:
        problems.append(f"the reference backend says that d(x² + 2x)/dx at 3 is {slope}; it is 8")
        return "wrong"
    return f"works (NumPy {np.__version__})"


def _data(problems: list[str]) -> dict[str, str]:
    try:
        root = datasets.data_root()
        sets = datasets.overview()
    except DataError as error:
        problems.append(str(error))
        return {"CHAINRULE_DATA": f"{os.environ.get('CHAINRULE_DATA')} (not a folder)"}
    return {"CHAINRULE_DATA": "not set" if root is None else str(root), **sets}


def _folder(path: Path) -> dict[str, Any]:
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else []
    return {
        "path": str(path),
        "files": len(files),
        "bytes": sum(file.stat().st_size for file in files),
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _show(found: dict[str, Any]) -> None:
    console = Console(highlight=False)
    table = Table.grid(padding=(0, 2))
    for section, content in found.items():
        if section == "problems":
            continue
        table.add_row(f"[bold]{section}[/]")
        for name, value in content.items():
            table.add_row(f"  {name}", _text(value))
    console.print(table, soft_wrap=True)
    for problem in found["problems"]:
        console.print(f"[red]problem[/] {problem}", soft_wrap=True)
    if not found["problems"]:
        console.print("nothing is wrong")


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return " ".join(value)
    if isinstance(value, dict):  # a cache
        return f"{value['path']} ({value['files']} files, {value['bytes'] / 2**20:.1f} MiB)"
    return str(value)
