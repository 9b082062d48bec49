"""Run PyTorch's own module and optimiser tests against chainrule, and fail where one of them does.

The suites live outside the project: CHAINRULE_CONFORMANCE names their folder, which is
../shared/conformance by default.
Without the folder there is nothing to run, which is said and is no error.

A module or optimiser that chainrule does not have counts as missing, not as failing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SUITES = ("modules", "optim")

#: End of the harness's text for a sample that no implementation can agree on, and why.
CHAOTIC = {
    "LBFGS default {}": "PyTorch differs from itself by as much (3.37 in step 2) when its first "
    "weights move by half a unit in the last place: float32, no line search, a target that moves",
    "LBFGS strong_wolfe {'line_search_fn': 'strong_wolfe'}": "PyTorch differs from itself by more "
    "(3.49 in step 2) when some of its first weights move by a unit in the last place",
}


def main() -> int:
    """The exit code: 0 where nothing fails."""
    chosen = os.environ.get("CHAINRULE_CONFORMANCE")
    folder = Path(chosen) if chosen else ROOT.parent / "shared" / "conformance"
    harness = folder / "opinfo_harness.py"
    if not harness.is_file():
        print(f"conformance: no {harness.name} in {folder}; nothing run")
        return 1 if chosen else 0
    return max([run(harness, suite) for suite in SUITES])


def run(harness: Path, suite: str) -> int:
    """One suite: its counts on one line, each failure on a line of its own."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / f"{suite}.json"
        done = subprocess.run(
            [sys.executable, str(harness), suite, "chainrule", "--json", str(report)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode or not report.is_file():
            print(done.stdout)
            print(f"conformance {suite}: the harness itself ended with {done.returncode}")
            return 1
        results = json.loads(report.read_text())
    counts = Counter(result["status"] for result in results)
    missing = sorted({result["name"] for result in results if result["status"] == "missing"})
    failing = [result for result in results if result["status"] == "fail"]
    chaotic = [result for result in failing if is_chaotic(result)]
    print(f"conformance {suite}: " + ", ".join(f"{n} {what}" for what, n in counts.most_common()))
    if missing:
        print("  missing: " + ", ".join(missing))
    for result in failing:
        first = (result.get("errs") or ["?"])[0]
        share = f"{result['ok']}/{result['samples']}"
        print(f"  fails: {result['name']} {result['dtype']} ({share}): {first}")
        if result in chaotic:
            print(f"    not counted: {CHAOTIC[first.rpartition(' | ')[2]]}")
    return 1 if len(failing) > len(chaotic) else 0


def is_chaotic(result: dict[str, Any]) -> bool:
    """Whether every sample that fails is one of those that nobody can agree on."""
    names = [text.rpartition(" | ")[2] for text in result["errs"]]
    return len(names) == result["samples"] - result["ok"] and all(n in CHAOTIC for n in names)


if __name__ == "__main__":
    sys.exit(main())
