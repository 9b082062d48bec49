"""Every example in a docstring runs and shows what it says."""

import doctest
import importlib
import pathlib
import pkgutil

import pytest

import chainrule
from chainrule.ir.op import Op

OPTIONAL = {"chainrule.__main__"}
NAMES = sorted(
    m.name
    for m in pkgutil.walk_packages(chainrule.__path__, "chainrule.")
    if m.name not in OPTIONAL
)


class Finder(doctest.DocTestFinder):
    """Also looks into ops, whose docstrings belong to an object, not to a function."""

    def _find(self, tests, obj, name, module, source_lines, globs, seen):  # type: ignore[no-untyped-def]
        super()._find(tests, obj, name, module, source_lines, globs, seen)
        if isinstance(obj, type(importlib)):
            for key, value in vars(obj).items():
                if isinstance(value, Op) and ">>>" in (value.__doc__ or ""):
                    found = self._parser.get_doctest(value.__doc__, globs, f"{name}.{key}", None, 0)
                    tests.append(found)


@pytest.mark.parametrize("name", ["chainrule", *NAMES])
def test_examples(name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for test in Finder().find(module, name):
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
