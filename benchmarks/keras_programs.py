"""Public Keras programs, unchanged but for their import lines, beside Keras.

    python -m benchmarks.keras_programs --root FOLDER --fetch     clone the repositories first
    python -m benchmarks.keras_programs --root FOLDER --only P    those whose name matches

Both sides start from the same initial weights, see the same data in the same order, and drop
nothing (keras_launch.py); an epoch is a few batches. The table says for how many batches the losses
agree. Keras runs on the backend that KERAS_BACKEND names, PyTorch by default; `--python` names the
interpreter in which it is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.pipes import ROOT
from benchmarks.programs import CLOSE, LIMIT, fetch, same
from benchmarks.report import Table
from chainrule.cli import port


@dataclass
class Program:
    """A row of keras_programs.toml."""

    repository: str
    file: str
    replace: list[list[str]] = field(default_factory=list)  # choices in its text: pattern, new
    random: bool = False

    @property
    def name(self) -> str:
        return f"{self.repository}/{Path(self.file).with_suffix('')}"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.keras_programs", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--root", type=Path, required=True, help="folder of the repositories")
    parser.add_argument("--fetch", action="store_true", help="clone what is not there")
    parser.add_argument("--only", default="", metavar="PATTERN")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has Keras")
    given = parser.parse_args()
    table = tomllib.loads((ROOT / "benchmarks" / "keras_programs.toml").read_text())
    if given.fetch:
        fetch(table["repositories"], given.root)
    chosen = [Program(**row) for row in table["program"]]
    print(losses([p for p in chosen if re.search(given.only, p.name)], given).text())


def losses(programs: list[Program], given: argparse.Namespace) -> Table:
    """For how many batches the losses agree."""
    table = Table(
        "Keras programs: losses", f"equal initial weights and data; the same within {CLOSE:g}",
        ["program", "batches", "the same", "last of chainrule", "last of Keras", ""],
    )  # fmt: skip
    for program in programs:
        reports = [run(program, side, given) for side in ("chainrule", "keras")]
        said = [report for report in reports if isinstance(report, str)]
        if said:
            table.add(program.name, "; ".join(said))
        else:
            ours, theirs = (report["losses"] for report in reports)
            batches = str(len(ours)) + f" ≠ {len(theirs)}" * (len(ours) != len(theirs))
            ends = [f"{x[-1]:.6g}" if x else "" for x in (ours, theirs)]
            note = "draws of its own" if program.random else ""
            table.add(program.name, batches, str(same(ours, theirs)), *ends, note)
        print("  ".join(table.rows[-1]), flush=True)
    return table


def run(program: Program, side: str, given: argparse.Namespace) -> Any:
    """What the launcher reports, or the last line of what it said."""
    text = (given.root / program.repository / program.file).read_text()
    text = port.ported(text) if side == "chainrule" else text
    for pattern, new in program.replace:
        text, changes = re.subn(pattern, new, text)
        if not changes:
            raise SystemExit(f"{program.name}: {pattern!r} is not in the program")
    with tempfile.TemporaryDirectory() as folder:
        target, report = Path(folder, Path(program.file).name), Path(folder, "report.json")
        target.write_text(text)
        python = sys.executable if side == "chainrule" else given.python
        environment = {"KERAS_BACKEND": "torch", "MPLBACKEND": "Agg"} | os.environ
        environment["PYTHONPATH"] = str(ROOT)
        try:
            ended = subprocess.run(
                [python, "-m", "benchmarks.keras_launch", side, str(report), str(target)],
                cwd=folder, env=environment, timeout=LIMIT, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"{side}: longer than {LIMIT} s"
        if report.exists():
            return json.loads(report.read_text())
        lines = ended.stderr.strip().splitlines() or [f"exit {ended.returncode}"]
        errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception)\b", line)]
        return f"{side}: {(errors or lines)[-1][:200]}"


if __name__ == "__main__":
    main()
