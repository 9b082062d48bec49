"""Keras's own tests, against chainrule.keras.

    python scripts/keras_conformance.py                  a sample; fails where less passes than the
                                                         page says
    python scripts/keras_conformance.py --full --write   every area, and its part of
                                                         docs/conformance.md
    python scripts/keras_conformance.py --areas losses,layers/core

The tests are Keras's files (`keras/src/**/*_test.py`), which its package on PyPI has: they are
found in an installed `keras`, or below the folder that KERAS_TESTS names. Without them there is
nothing to run, which is said and is no error. `tests/keras_suite` lets them import our names where
they ask for Keras's inside.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import sections

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "conformance.md"
OWNER = "keras"

#: Areas and their files below keras/src, in the order of the table.
AREAS: dict[str, list[str]] = {
    name: [name] for name in (
        "losses", "metrics", "optimizers", "initializers", "regularizers", "activations",
        "constraints", "layers/layer_test.py", "layers/core", "layers/convolutional",
        "layers/pooling", "layers/merging", "layers/normalization", "layers/activations",
        "layers/attention", "layers/reshaping", "layers/regularization", "layers/rnn",
        "layers/preprocessing", "models", "callbacks", "saving", "trainers", "ops", "random",
        "tree", "utils", "dtype_policies", "backend/common", "datasets", "applications",
    )
}  # fmt: skip
#: What `make parity` runs.
SAMPLE = ("losses", "metrics", "initializers", "regularizers", "activations", "models")

#: What the line "layers together" leaves out, and why.
LEFT_OUT = {
    "image preprocessing": re.compile(r"image_preprocessing"),
    "quantization": re.compile(r"quanti[sz]|int4|int8|float8|gptq|awq", re.I),
    "sparse tensors": re.compile(r"\bsparse|_sparse(?!_cat)", re.I),
    "ragged tensors": re.compile(r"ragged", re.I),
}


@dataclass
class Result:
    """What one test gave."""

    file: str
    name: str
    status: str  # "pass", "fail", "skip"
    message: str = ""


@dataclass
class Area:
    """The tests of one area."""

    name: str
    results: list[Result] = field(default_factory=list)

    def count(self, status: str) -> int:
        return sum(result.status == status for result in self.results)


def main() -> int:
    """The exit code: 1 where less passes than the page says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="every area")
    parser.add_argument("--areas", default="", help="these areas, separated by commas")
    parser.add_argument("--write", action="store_true", help="write the part of the page (--full)")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--failures", action="store_true", help="print what fails")
    options = parser.parse_args()
    if options.write and not options.full:
        parser.error("--write needs --full: the page says what every area gave")
    root = find_tests()
    if root is None:
        print("keras conformance: Keras's tests are not installed (pip install keras); nothing run")
        return 1 if os.environ.get("KERAS_TESTS") else 0
    names = list(AREAS) if options.full else list(SAMPLE)
    if options.areas:
        names = options.areas.split(",")
    with ThreadPoolExecutor(max(options.jobs, 1)) as pool:
        areas = []
        for area in pool.map(lambda name: run(root, name), names):
            areas.append(area)
            print(line(area), flush=True)
            if options.failures:
                for result in area.results:
                    if result.status == "fail":
                        print(f"  {result.file}::{result.name}: {result.message}")
    if options.write:
        sections.write(PAGE, OWNER, page(areas, version(root)))
        print(f"wrote {PAGE.relative_to(ROOT)}")
        return 0
    return 1 if [text for text in complaints(areas) if not print(text)] else 0


def find_tests() -> Path | None:
    """The folder that holds Keras's `keras`, with its tests."""
    chosen = os.environ.get("KERAS_TESTS")
    if chosen:
        root = Path(chosen)
    else:
        spec = importlib.util.find_spec("keras")
        if spec is None or spec.origin is None:
            return None
        root = Path(spec.origin).parent.parent
    has_tests = (root / "keras" / "src" / "losses" / "losses_test.py").is_file()
    return root.resolve() if has_tests else None


def version(root: Path) -> str:
    """Keras's version, from its own file."""
    text = (root / "keras" / "src" / "version.py").read_text()
    found = re.search(r'__version__ = "([^"]+)"', text)
    return found.group(1) if found else "of an unknown version"


def run(root: Path, name: str) -> Area:
    """One area, in a process of its own."""
    source = root / "keras" / "src"
    paths = [str(source / path) for path in AREAS.get(name, [name]) if (source / path).exists()]
    threads = {f"{lib}_NUM_THREADS": "1" for lib in ("OPENBLAS", "OMP", "MKL")}
    path = os.pathsep.join(map(str, (ROOT, ROOT / "tests", root)))
    environment = {**os.environ, **threads, "CHAINRULE_THREADS": "1", "PYTHONPATH": path,
                   "KERAS_TESTS": str(root)}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *paths, "-p", "keras_suite.plugin", "--noconftest",
             "-c", os.devnull, "--rootdir", str(root), "-p", "no:cacheprovider", "-q",
             "--import-mode=prepend", "--continue-on-collection-errors", "--tb=line",
             "--timeout=120", f"--junitxml={report}", "-o", "junit_family=xunit1"],
            cwd=folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if not report.is_file():
            print(done.stdout[-3000:])
            return Area(name, [Result(name, "", "fail", f"the run ended with {done.returncode}")])
        return Area(name, list(results(report)))


def results(report: Path) -> Iterable[Result]:
    """The tests of a report; a file that cannot be imported counts as one."""
    for case in ET.parse(report).getroot().iter("testcase"):
        status, message = "pass", ""
        for kind, means in (("skipped", "skip"), ("failure", "fail"), ("error", "fail")):
            found = case.find(kind)
            if found is not None:
                status, message = means, _first_line(found.get("message") or found.text or "")
        file = case.get("file") or (case.get("classname") or "").replace(".", "/")
        where = file.partition("keras/src/")[2] or file or case.get("name") or ""
        kind = (case.get("classname") or "").rpartition(".")[2]
        yield Result(where, f"{kind}.{case.get('name')}", status, message)


def _first_line(text: str) -> str:
    lines = [part.strip() for part in text.splitlines() if part.strip()]
    return lines[0] if lines else ""


def line(area: Area) -> str:
    """Counts on one line."""
    good, bad, skipped = (area.count(s) for s in ("pass", "fail", "skip"))
    share = percent(good, len(area.results))
    return f"keras conformance {area.name}: {good} pass, {bad} fail, {skipped} skip ({share})"


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def complaints(areas: list[Area]) -> Iterable[str]:
    """Areas of which less passes than the page says."""
    written = {
        cells[1]: int(cells[3])
        for row in sections.read(PAGE, OWNER).splitlines()
        if len(cells := [cell.strip() for cell in row.split("|")]) > 4 and cells[3].isdigit()
    }
    for area in areas:
        good = area.count("pass")
        if good < written.get(area.name, 0):
            yield f"  {area.name}: {good} pass, docs/conformance.md says {written[area.name]}"


# the page -----------------------------------------------------------------------------------------

_HEAD = """# Keras's own tests

Keras {version} tests itself by the files `keras/src/**/*_test.py`. The same files run against
`chainrule.keras`, each name of Keras's inside looked up among ours (`tests/keras_suite`).
`scripts/keras_conformance.py --full --write` writes this part; `make parity` checks a sample of it.
A file that cannot be imported counts as one test that fails. Tests that Keras itself skips where a
backend is not TensorFlow, JAX or PyTorch, or a package is missing, are skipped here.

| area | tests | pass | fail | skip | of all | of those that ran |
|---|--:|--:|--:|--:|--:|--:|
"""


def page(areas: list[Area], keras: str) -> str:
    """The part of docs/conformance.md."""
    together = [r for a in areas if a.name.startswith("layers/") for r in a.results]
    kept = [r for r in together if why_left_out(r) is None]
    rows = [row(area) for area in areas]
    last = max((i for i, a in enumerate(areas) if a.name.startswith("layers/")), default=-1)
    if last >= 0:
        rows.insert(last + 1, row(Area("layers together, but for what is named below", kept)))
    left = Counter(why for r in together if (why := why_left_out(r)) is not None)
    text = _HEAD.format(version=keras) + "".join(rows)
    if left:
        text += "\nOf the layers' tests the line for all together leaves out: " + ", ".join(
            f"{what} ({count})" for what, count in left.items()
        ) + ".\n"  # fmt: skip
    return text + "\n## What fails of them\n\n" + "".join(failures(area) for area in areas)


def why_left_out(result: Result) -> str | None:
    """The rule by which a test of a layer is left out, if there is one."""
    where = f"{result.file} {result.name}"
    return next((what for what, rule in LEFT_OUT.items() if rule.search(where)), None)


def row(area: Area) -> str:
    count, good = len(area.results), area.count("pass")
    bad, skipped = area.count("fail"), area.count("skip")
    return (
        f"| {area.name} | {count} | {good} | {bad} | {skipped} | {percent(good, count)} | "
        f"{percent(good, count - skipped)} |\n"
    )


def failures(area: Area) -> str:
    """How many tests of each file fail, and most often why."""
    files: dict[str, list[Result]] = {}
    for result in area.results:
        if result.status == "fail":
            files.setdefault(result.file, []).append(result)
    return "".join(
        f"- {file}: {len(failed)}. {short(usual(failed))}\n"
        for file, failed in sorted(files.items())
    )


def usual(failed: list[Result]) -> str:
    """The message that most of them have."""
    return Counter(result.message for result in failed).most_common(1)[0][0]


def short(message: str) -> str:
    """A message on one line, without what Markdown would read."""
    text = re.sub(r"0x[0-9a-f]+|/\S*/", "…", " ".join(message.split()))
    return re.sub(r"[`|<>*_]", " ", text)[:150].strip()


if __name__ == "__main__":
    sys.exit(main())
