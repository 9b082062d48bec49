"""The programs of the pages at the top run, each page in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def programs(name: str) -> str:
    return "\n".join(BLOCK.findall((ROOT / name).read_text(encoding="utf-8")))


def run(program: str, folder: Path) -> str:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_programs_learn(tmp_path: Path) -> None:
    out = run(programs("README.md"), tmp_path)
    accuracy = re.search(r"test accuracy ([0-9.]+)", out)
    assert accuracy is not None and float(accuracy[1]) > 0.8
    assert "∂L/∂W⁽²⁾ = Σₙ δ⁽²⁾ₙ a⁽¹⁾ₙᵀ" in out and "All is right" in out
    evaluated = re.search(r"'accuracy': ([0-9.]+)", out)
    assert evaluated is not None and float(evaluated[1]) > 0.8


def test_both_languages_show_the_same_programs() -> None:
    assert programs("README.md") == programs("README.zh-CN.md")


def test_how_to_add_an_op_works_as_told(tmp_path: Path) -> None:
    out = run(programs("CONTRIBUTING.md"), tmp_path)
    assert out.splitlines() == [
        "[1.0, 2.0] [0.5, 0.8]",
        r"y = \operatorname{squareplus}(v)",
        r"y = \frac{v + \sqrt{v^{2} + 4}}{2}",
        "Squareplus(b=1.0) [1.0, 1.0]",
    ]


@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")), ids=str
)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        assert "://" in target or (page.parent / target).exists(), target


def test_what_pages_name_exists() -> None:
    """Files and folders that the architecture, the notes and the guide point at."""
    for name in ("ARCHITECTURE.md", "CONTRIBUTING.md"):
        text = re.sub(r"```.*?```", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL)
        for path in re.findall(r"`((?:[a-z_]+/)+[a-z_]*(?:\.py)?)`", text):
            assert (ROOT / path).exists() or (ROOT / "chainrule" / path).exists(), f"{name}: {path}"
