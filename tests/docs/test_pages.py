"""The pages below docs/ say what the library prints today."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("build_docs", ROOT / "docs" / "build.py")
assert spec is not None and spec.loader is not None
build_docs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build_docs)


@pytest.mark.parametrize("path", build_docs.PAGES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_a_page_says_what_the_library_prints(path):
    page = path.read_text(encoding="utf-8")
    assert build_docs.build(page) == page, "run: python docs/build.py"


def test_both_languages_run_the_same_programs():
    english, chinese = (
        (ROOT / "docs" / "mathematics" / name).read_text(encoding="utf-8")
        for name in ("README.md", "README.zh-CN.md")
    )
    generated = build_docs.PIECE.findall
    assert generated(english) == generated(chinese)


def test_numbers_that_are_compared_agree():
    """Every comparison came out as the text says: all true, but for the one without positions."""
    page = (ROOT / "docs" / "mathematics" / "README.md").read_text(encoding="utf-8")
    lines = page.splitlines()
    assert lines.count("True") > 15
    assert lines.count("False") == 1
