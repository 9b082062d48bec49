"""Measure everything, and say what was reached.

python -m benchmarks                          everything, about ten minutes
python -m benchmarks --only mlp,gpt --quick   two networks, fewer blocks
python -m benchmarks --only products,first
python -m benchmarks --write                  also writes docs/benchmarks.md
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.pipes import ROOT, Failed, two_processors
from benchmarks.report import Table
from benchmarks.rows import COMPILED, GROUPS, JAX, KERAS, OURS, TARGETS, TORCH, Run, machine

#: What a side's interpreter must be able to import.
NEEDS = {OURS: "chainrule", TORCH: "torch", JAX: "jax, optax", KERAS: "tensorflow, keras"}


def main() -> None:
    arguments = _arguments()
    chosen = set(filter(None, arguments.only.split(",")))
    unknown = chosen - GROUPS.keys() - TARGETS.keys()
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; known: {', '.join([*GROUPS, *TARGETS])}")
    two_processors()
    began = time.perf_counter()
    pythons, notes = _sides(dict(pair.split("=", 1) for pair in arguments.python))
    if arguments.compile and TORCH in pythons:
        pythons[COMPILED] = pythons[TORCH]
    run = Run(pythons, chosen & TARGETS.keys(), arguments.quick)
    print(machine(run), *run.busy(), *notes, sep="\n")
    tables: list[Table] = []
    for name, group in GROUPS.items():
        wanted = not chosen or name in chosen or (name == "networks" and chosen & TARGETS.keys())
        if not wanted:
            continue
        try:
            tables += group(run)
        except (Failed, subprocess.CalledProcessError) as failure:
            run.notes.append(f"{name}: {failure}")
    run.again()
    head = [machine(run), *run.busy(), _versions(run), *notes, *run.notes]
    run.close()
    head.append(f"Measured in {time.perf_counter() - began:.0f} s.")
    print("", *head, "", *(table.text() for table in tables), sep="\n")
    if arguments.write:
        _write(ROOT / "docs" / "benchmarks.md", head, tables)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", default="", metavar="NAMES", help="groups or networks: a,b,c")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter blocks")
    parser.add_argument("--compile", action="store_true", help="torch.compile takes part (slow)")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    parser.add_argument(
        "--python", action="append", default=[], metavar="SIDE=PATH",
        help=f"an interpreter for a side ({', '.join(NEEDS)}); this one by default, none if empty",
    )  # fmt: skip
    return parser.parse_args()


def _sides(given: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """The interpreter of each side that takes part, and what is left out."""
    pythons, notes = {}, []
    for side, modules in NEEDS.items():
        python = given.get(side, sys.executable)
        if shutil.which(python) is None:
            notes.append(f"{side} is left out: there is no {python or 'interpreter for it'}.")
            continue
        found = f"import importlib.util as u; assert all(map(u.find_spec, {modules.split(', ')}))"
        done = subprocess.run([python, "-c", found], cwd=ROOT, stderr=subprocess.DEVNULL)
        if done.returncode == 0:
            pythons[side] = python
        else:
            notes.append(f"{side} is left out: {modules} cannot be imported by {python}.")
    return pythons, notes


def _versions(run: Run) -> str:
    found = []
    for side, peer in run.peers.items():
        try:
            found.append(f"{side} {peer.ask('version')}")
        except Failed:
            continue
    return "; ".join(found) + "."


def _write(path: Path, head: list[str], tables: list[Table]) -> None:
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench ARGS=--write`. A figure belongs to its machine and its minute: "
        "compare ratios.",
        "",
        *head,
        "",
        *(table.markdown() for table in tables),
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
