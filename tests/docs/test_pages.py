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


BOTH = [(p, q) for p in build_docs.PAGES if (q := p.with_name(p.stem + ".zh-CN.md")).exists()]


@pytest.mark.parametrize("path", build_docs.PAGES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_a_page_says_what_the_library_prints(path):
    page = path.read_text(encoding="utf-8")
    with build_docs.importing_from(path.parent):
        assert build_docs.build(page, folder=path.parent) == page, "run: python docs/build.py"


@pytest.mark.parametrize("both", BOTH, ids=lambda b: f"{b[0].parent.name}/{b[0].stem}")
def test_both_languages_run_the_same_programs(both):
    english, chinese = (p.read_text(encoding="utf-8") for p in both)
    assert build_docs.PIECE.findall(english) == build_docs.PIECE.findall(chinese)


def test_every_page_with_a_program_is_there_in_both_languages():
    programs = {p for p in build_docs.PAGES if "```python" in p.read_text(encoding="utf-8")}
    assert {p for both in BOTH for p in both} == programs


@pytest.mark.parametrize("name", ["mathematics/README", "tutorials/chain-rule"])
def test_numbers_that_are_compared_agree(name):
    """Every comparison came out as the text says: all true, but for the one without positions."""
    page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    words = [w for line in page.splitlines() for w in line.split() if w in ("True", "False")]
    assert words.count("True") > 15
    assert words.count("False") == (1 if "mathematics" in name else 0)
