"""PyTorch's own databases of operators, modules and optimisers, against chainrule.

    python scripts/conformance.py                  modules, optimisers, samples of every operator
    python scripts/conformance.py --full           every sample, also methods, in place, float64
    python scripts/conformance.py --full --write   and write docs/conformance.md

The suites live outside the project: CHAINRULE_CONFORMANCE names their folder, which is
../shared/conformance by default. Without the folder there is nothing to run, which is said and is
no error.

docs/conformance.md names every operator that is missing or differs, and why. So the short run fails
where an operator differs that is not named there: the table would be wrong. A module or optimiser
that chainrule does not have counts as missing, not as failing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import sections

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "conformance.md"
OWNER = "pytorch"

#: What each suite is run with: in short, in full.
SHORT: dict[str, list[list[str]]] = {
    "modules": [["--dtypes", "float32"]],
    "optim": [[]],
    "ops": [["--dtypes", "float32", "--variants", "function,method,inplace", "--max-samples", "2"]],
}
SHARDS = 8  # of the full run: a process that has run thousands of operators is slow
FULL: dict[str, list[list[str]]] = {
    "modules": [["--dtypes", "float32,float64"]],
    "optim": [[]],
    "ops": [
        ["--dtypes", "float32,float64", "--variants", "function,method,inplace", "--errors",
         "--shard", f"{i}/{SHARDS}"]
        for i in range(SHARDS)
    ],
}  # fmt: skip

#: End of the harness's text for a sample that no implementation can agree on, and why.
CHAOTIC = {
    "LBFGS default {}": "PyTorch differs from itself by as much (3.37 in step 2) when its first "
    "weights move by half a unit in the last place: float32, no line search, a target that moves",
    "LBFGS strong_wolfe {'line_search_fn': 'strong_wolfe'}": "PyTorch differs from itself by more "
    "(3.49 in step 2) when some of its first weights move by a unit in the last place",
}

#: Operators that differ, and why this is no fault.
REASONS = {
    "broadcast_shapes": "the harness knows PyTorch's own `Size` only: ours is a tuple to it",
    "polygamma": "float32 near a pole: PyTorch is 2e-5 from the float64 value, chainrule 4e-8",
    "special.polygamma": "as `polygamma`",
    "logcumsumexp": "float32 gradient: PyTorch is 2e-3 from the float64 value, chainrule 2e-7",
    "matrix_exp": "float32, values of 9e4: PyTorch is 5e-2 from the float64 value, chainrule 2e-3",
    "cov": "weights that nearly cancel: the last digits are amplified ten thousand times",
    "empty_permuted": "the values of memory that nobody wrote",
}

Result = dict[str, Any]


def main() -> int:
    """The exit code: 0 where nothing fails that the page does not name."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="every sample, variant and dtype")
    parser.add_argument("--write", action="store_true", help="write docs/conformance.md (--full)")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    options = parser.parse_args()
    if options.write and not options.full:
        parser.error("--write needs --full: the page says what every sample gave")
    chosen = os.environ.get("CHAINRULE_CONFORMANCE")
    folder = Path(chosen) if chosen else ROOT.parent / "shared" / "conformance"
    harness = folder / "opinfo_harness.py"
    if not harness.is_file():
        print(f"conformance: no {harness.name} in {folder}; nothing run")
        return 1 if chosen else 0
    found: dict[str, list[Result]] = {}
    for suite, runs in (FULL if options.full else SHORT).items():
        with ThreadPoolExecutor(max(options.jobs, 1)) as pool:
            parts = list(pool.map(partial(run, harness, suite), runs))
        if any(part is None for part in parts):
            return 1
        found[suite] = [result for part in parts for result in part or ()]
        summary(suite, found[suite])
    if options.write:
        sections.write(PAGE, OWNER, page(found))
        print(f"wrote {PAGE.relative_to(ROOT)}")
        return 0
    return 1 if [line for line in complaints(found) if not print(line)] else 0


def run(harness: Path, suite: str, extra: list[str]) -> list[Result] | None:
    """One run of the harness; None where it ended badly."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / f"{suite}.json"
        done = subprocess.run(
            [sys.executable, str(harness), suite, "chainrule", "--json", str(report), *extra],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:  # a late alarm may end the process after it has written everything
            results: list[Result] = json.loads(report.read_text())
        except (OSError, ValueError):
            print(done.stdout)
            print(f"conformance {suite}: the harness itself ended with {done.returncode}")
            return None
        return results


def summary(suite: str, results: list[Result]) -> None:
    """Counts on one line."""
    counts = Counter(result["status"] for result in results)
    print(f"conformance {suite}: " + ", ".join(f"{n} {what}" for what, n in counts.most_common()))


def base(result: Result) -> str:
    """An operator's name without its variant test's."""
    name: str = result["name"]
    return next((r for r in REASONS if name == r or name.startswith(f"{r}.")), name)


def is_chaotic(result: Result) -> bool:
    """Whether every sample that fails is one of those that nobody can agree on."""
    names = [text.rpartition(" | ")[2] for text in result["errs"]]
    return len(names) == result["samples"] - result["ok"] and all(n in CHAOTIC for n in names)


def complaints(found: dict[str, list[Result]]) -> Iterable[str]:
    """What fails and is not named in the page; nothing of modules and optimisers may fail."""
    named = listed(sections.read(PAGE, OWNER))
    for suite, results in found.items():
        for result in results:
            if result["status"] != "fail" or is_chaotic(result):
                continue
            if suite == "ops" and (result["name"] in named or base(result) in REASONS):
                continue
            first = (result.get("errs") or ["?"])[0]
            share = f"{result['ok']}/{result['samples']}"
            name = f"{result['name']} ({result['variant']}, {result['dtype']})"
            yield f"  fails and docs/conformance.md does not say so: {name} {share}: {first}"


def listed(text: str) -> set[str]:
    """The operators that a page names as missing or different."""
    return {part for part in text.split("`")[1::2] if part and " " not in part}


# ------------------------------------------------------------------ the page

_HEAD = """# Conformance

PyTorch {torch} is tested by databases: every operator, module and optimiser with sample inputs. The
same inputs go through chainrule; values, shapes, dtypes and gradients are compared, at ten times
the tolerance of `torch.testing.assert_close` for values and a hundred times for gradients.
`scripts/conformance.py --full --write` writes this page; `make parity` checks that what is not
named here agrees.

| suite | entries | agree | differ | missing | not run | samples | agree | | gradients | agree |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
"""


def page(found: dict[str, list[Result]]) -> str:
    """docs/conformance.md"""
    import torch

    groups: dict[str, list[Result]] = {}
    for result in found["ops"]:
        groups.setdefault(f"operators, {result['variant']}, {result['dtype']}", []).append(result)
    for result in found["modules"]:
        groups.setdefault(f"modules, {result['dtype']}", []).append(result)
    groups["optimisers"] = found["optim"]
    lines = [_HEAD.format(torch=torch.__version__.partition("+")[0])]
    lines.extend(_row(name, results) for name, results in groups.items())
    errors = sum(r.get("err_n", 0) for r in found["ops"])
    raising = sum(r.get("err_ok", 0) for r in found["ops"])
    if errors:
        lines.append(
            f"\nOf {errors} inputs that PyTorch refuses, chainrule refuses {raising} "
            f"({_percent(raising, errors)}).\n"
        )
    lines.append(_missing(found))
    lines.append(_differing(found))
    return "".join(lines)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def _row(name: str, results: list[Result]) -> str:
    by = Counter("pass" if is_agreed(r) else r["status"] for r in results)
    samples, ok, n, good = (
        sum(r.get(k, 0) for r in results) for k in ("samples", "ok", "grad_n", "grad_ok")
    )
    return (
        f"| {name} | {len(results)} | {by['pass']} | {by['fail']} | {by['missing']} | "
        f"{by['skip']} | {samples} | {ok} | {_percent(ok, samples)} | {n} | {good} |\n"
    )


def is_agreed(result: Result) -> bool:
    """Whether it counts as the same."""
    return result["status"] == "pass" or (result["status"] == "fail" and is_chaotic(result))


def _missing(found: dict[str, list[Result]]) -> str:
    out = []
    for suite, what in (("ops", "operators"), ("modules", "modules"), ("optim", "optimisers")):
        where: dict[str, set[str]] = defaultdict(set)
        for r in found[suite]:
            if r["status"] == "missing":
                where[r["name"]].add(r["variant"])
        names = ", ".join(
            f"`{n}`" + ("" if "function" in v or suite != "ops" else f" ({', '.join(sorted(v))})")
            for n, v in sorted(where.items())
        )
        out.append(f"\n## Missing {what}\n\n{names or 'None.'}\n")
    return "".join(out)


def _differing(found: dict[str, list[Result]]) -> str:
    rows: dict[str, list[Result]] = {}
    for results in found.values():
        for r in results:
            if r["status"] == "fail":
                rows.setdefault(r["name"], []).append(r)
    out = ["\n## What differs\n\n| name | where | samples that agree | why |\n|---|---|--:|---|\n"]
    for name, results in sorted(rows.items()):
        where = ", ".join(sorted({f"{r['variant']} {r['dtype']}" for r in results}))
        ok, samples = (sum(r[k] for r in results) for k in ("ok", "samples"))
        out.append(f"| `{name}` | {where} | {ok}/{samples} | {_why(results[0])} |\n")
    return "".join(out) if rows else "\n## What differs\n\nNothing.\n"


def _why(result: Result) -> str:
    if is_chaotic(result):
        return CHAOTIC[result["errs"][0].rpartition(" | ")[2]]
    if base(result) in REASONS:
        return REASONS[base(result)]
    first = (result.get("errs") or ["?"])[0].partition(" | ")[0]
    return " ".join(first.split())[:160].replace("|", "/").replace("`", "'")


if __name__ == "__main__":
    sys.exit(main())
