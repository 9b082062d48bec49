"""Public programs, unchanged but for their import lines, beside PyTorch.

    python -m benchmarks.programs --root FOLDER --fetch    clone the repositories of programs.toml
    python -m benchmarks.programs --root FOLDER --losses   equal draws: compare every loss
    python -m benchmarks.programs --root FOLDER --losses --double   and in float64
    python -m benchmarks.programs --root FOLDER            time a call of `backward` on both sides
    python -m benchmarks.programs --root FOLDER --only P   those whose name matches the pattern

The losses are those of runs with PyTorch's random numbers (CHAINRULE_RANDOM=mt19937). Training that
is chaotic amplifies rounding, so the table says for how many calls the two agree, and for how many
PyTorch agrees with itself when its weights are nudged in the last digit once; and both last losses.
In float64 what is left of a difference after some steps is more than rounding.
Time is that of the second half of the calls, with everything between them, the median of some
rounds in which the sides take turns; each run is a process of its own. A program that never calls
`backward` is compared by the norms of the tensors that it leaves, and timed as a whole.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.pipes import ROOT, two_processors
from benchmarks.report import Table, seconds
from chainrule.cli import port

SIDES = ("chainrule", "torch")
LIMIT = 300  # seconds a run may take
CLOSE = 1e-3  # relative difference up to which two losses are the same


@dataclass
class Program:
    """A row of programs.toml."""

    repository: str
    file: str
    stop: int
    arguments: list[str] = field(default_factory=list)
    before: str | None = None  # a program of the same repository to be run first
    copy: dict[str, str] = field(default_factory=dict)  # a data file → where the program reads it
    replace: list[list[str]] = field(default_factory=list)  # choices in its text: file, old, new
    block: int = 0  # the program is this block of Python in the file, from 1
    label: str = ""  # which of those that share a file

    @property
    def name(self) -> str:
        parts = [self.repository, str(Path(self.file).with_suffix(""))]
        return "/".join(parts + [self.label] * bool(self.label))


@dataclass
class Outcome:
    """What a run left: its report, or the last line of what it said."""

    report: dict[str, Any] | None
    said: str

    @property
    def step(self) -> float:
        """Seconds of a call of `backward` with all up to the next; of the run if there is none."""
        assert self.report is not None
        (calls, then), (last, now) = self.report["marks"][-2:]
        return float(now - then) / max(last - calls, 1)


def main() -> None:
    given = _arguments()
    table = tomllib.loads((ROOT / "benchmarks" / "programs.toml").read_text())
    if given.fetch:
        fetch(table["repositories"], given.root)
    chosen = [Program(**row) for row in table["program"]]
    chosen = [program for program in chosen if re.search(given.only, program.name)]
    two_processors()
    pythons = {side: sys.executable for side in SIDES} | dict(p.split("=", 1) for p in given.python)
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(given.root, Path(scratch), pythons, given.threads)
        found = (
            bench.losses(chosen, given.double)
            if given.losses
            else bench.times(chosen, given.rounds)
        )
    print(found.text())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.programs", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--root", type=Path, required=True, help="folder of the repositories")
    parser.add_argument("--fetch", action="store_true", help="clone what is not there")
    parser.add_argument("--only", default="", metavar="PATTERN")
    parser.add_argument("--losses", action="store_true")
    parser.add_argument("--double", action="store_true", help="losses in float64")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="of either side")
    parser.add_argument("--python", action="append", default=[], metavar="SIDE=PATH")
    return parser.parse_args()


def fetch(repositories: dict[str, list[str]], root: Path) -> None:
    for name, (url, commit) in repositories.items():
        folder = root / name
        if not folder.exists():
            subprocess.run(["git", "clone", "--quiet", url, str(folder)], check=True)
            subprocess.run(["git", "-C", str(folder), "checkout", "--quiet", commit], check=True)


def _block(text: str, number: int) -> str:
    """A block of Python in a page of Markdown."""
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return str(blocks[number - 1])


def _failures(*outcomes: Outcome) -> str:
    """What the runs without a report said."""
    return "; ".join(outcome.said for outcome in outcomes if outcome.report is None)


def same(ours: list[float], theirs: list[float]) -> int:
    """For how many calls, from the first on, the losses agree."""
    for i, (x, y) in enumerate(zip(ours, theirs, strict=False)):
        if not abs(x - y) <= CLOSE * max(abs(y), 1e-2):
            return i
    return min(len(ours), len(theirs))


class Bench:
    """Runs programs, each in a fresh copy of its repository."""

    def __init__(self, root: Path, scratch: Path, pythons: dict[str, str], threads: int) -> None:
        self.root, self.scratch, self.pythons = root.resolve(), scratch, pythons
        self.threads = threads

    def times(self, programs: list[Program], rounds: int) -> Table:
        """Time per call on both sides, and the ratio."""
        table = Table(
            "Programs: time",
            "PyTorch eager over chainrule; a call of backward with all up to the next",
            ["program", "chainrule", "torch", "ratio"],
        )  # fmt: skip
        ratios = []
        for program in programs:
            runs: dict[str, list[Outcome]] = {side: [] for side in SIDES}
            for _ in range(rounds):
                for side in SIDES:
                    if all(outcome.report for outcome in runs[side]):
                        runs[side].append(self.run(program, side))
            if said := _failures(*(outcome for side in SIDES for outcome in runs[side])):
                table.add(program.name, said)
            else:
                ours, theirs = (statistics.median(o.step for o in runs[side]) for side in SIDES)
                ratios.append(theirs / ours)
                table.add(program.name, seconds(ours), seconds(theirs), f"{theirs / ours:.2f}")
            print("  ".join(table.rows[-1]), flush=True)
        if ratios:
            below = f"{sum(ratio < 1 for ratio in ratios)} of {len(ratios)} below 1"
            table.note += f"; median {statistics.median(ratios):.2f}, {below}"
        return table

    def losses(self, programs: list[Program], double: bool) -> Table:
        """For how many calls the losses agree, from equal seeds."""
        options = ["--losses"] + ["--double"] * double
        table = Table(
            "Programs: losses" + " in float64" * double,
            f"equal random numbers; the same within {CLOSE:g} relative",
            ["program", "calls", "the same", "nudged", "last of chainrule", "last of torch"],
        )  # fmt: skip
        for program in programs:
            runs = [
                self.run(program, "chainrule", *options),
                self.run(program, "torch", *options),
                self.run(program, "torch", *options, "--nudge"),
            ]
            if said := _failures(*runs):
                table.add(program.name, said)
            else:
                ours, theirs, nudged = (run.report["losses"] for run in runs if run.report)
                ends = [f"{x[-1]:.6g}" if x else "" for x in (ours, theirs)]
                calls = str(len(ours)) + f" ≠ {len(theirs)}" * (len(ours) != len(theirs))
                agreed = str(same(ours, theirs)), str(same(nudged, theirs))
                table.add(program.name, calls, *agreed, *ends)
            print("  ".join(table.rows[-1]), flush=True)
        return table

    def run(self, program: Program, side: str, *options: str) -> Outcome:
        """One run, in a process and a folder of its own."""
        folder = self.scratch / "run"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._source(program, side), folder, symlinks=True)
        for file, old, new in program.replace:
            text = (folder / file).read_text()
            if old not in text:
                raise SystemExit(f"{program.name}: {old!r} is not in the program")
            (folder / file).write_text(text.replace(old, new))
        target = folder / program.file
        if program.block:
            text = _block(target.read_text(), program.block)
            target = target.with_name(f"block_{program.block}.py")
            target.write_text(port.ported(text) if side == "chainrule" else text)
        data = Path(os.environ.get("CHAINRULE_DATA", "."))
        for origin, place in program.copy.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(data / origin, folder / place)
        environment = os.environ | {
            "PYTHONHASHSEED": "0",  # words in a set stand in one order
            "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg",
            "CHAINRULE_RANDOM": "mt19937" if "--losses" in options else "philox",
        }  # fmt: skip
        python, report = self.pythons[side], self.scratch / "report.json"
        report.unlink(missing_ok=True)
        where = target.parent
        if program.before:
            first = folder / program.before
            first = first if first.exists() else where / program.before
            made = subprocess.run(
                [python, first], cwd=first.parent, env=environment, capture_output=True, text=True
            )
            if made.returncode:
                return Outcome(None, f"{side}: {first.name}: {made.stderr.strip()[-150:]}")
        command = [python, "-m", "benchmarks.launch", f"--stop={program.stop}"]
        command += [f"--threads={self.threads}"]
        command += [*options, side, str(report), target.name, *program.arguments]
        try:
            ended = subprocess.run(
                command, cwd=where, env=environment, timeout=LIMIT, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Outcome(None, f"{side}: longer than {LIMIT} s")
        if not report.exists():
            lines = ended.stderr.strip().splitlines() or [f"exit {ended.returncode}"]
            errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception)\b", line)]
            return Outcome(None, f"{side}: {(errors or lines)[-1][:200]}")
        return Outcome(json.loads(report.read_text()), "")

    def _source(self, program: Program, side: str) -> Path:
        """The repository, or its copy with other import lines."""
        original = self.root / program.repository
        if side == "torch":
            return original
        ported = self.scratch / "ported" / program.repository
        if not ported.exists():
            ported.parent.mkdir(exist_ok=True)
            port.folder(original, ported)
        return ported


if __name__ == "__main__":
    main()
