"""The examples are the documents' programs: line for line, but for their import lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults import FAULTS, program

HERE = Path(__file__).resolve().parent
DOCUMENTS = HERE.parents[2] / "shared" / "seeds"
AS_PRINTED = {
    "mnist_mlp": "mnist_mlp",
    "dcnn": "dcnn",
    "lstm": "lstm",
    "transformer_as_printed": "transformer",
}


def printed(name: str) -> list[str]:
    return (HERE / "printed" / f"{name}.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", AS_PRINTED)
def test_only_the_import_lines_differ(name: str) -> None:
    expected = printed(AS_PRINTED[name])
    found = program(name).splitlines()
    assert len(found) == len(expected)
    changed = [(a, b) for a, b in zip(expected, found, strict=True) if a != b]
    assert changed
    for before, after in changed:
        assert before.startswith("import ") and after.startswith("import chainrule")


def test_every_repair_of_the_transformer_has_a_comment() -> None:
    original = set(printed("transformer"))
    comment = False
    numbers = set()
    for line in program("transformer").splitlines():
        if line in original or line.startswith("import chainrule"):
            comment = False
            continue
        if "# fault " in line:
            numbers.add(int(line.partition("# fault ")[2][0]))
        comment = comment or "#" in line
        assert comment, f"no comment says why this line differs: {line!r}"
    assert numbers == {int(name[0]) for name in FAULTS} == set(range(1, 9))


@pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="the documents do not lie beside the checkout")
@pytest.mark.parametrize("name", sorted(set(AS_PRINTED.values())))
def test_the_kept_print_is_the_documents_text(name: str) -> None:
    """The documents' text lost its indentation; everything else is compared."""
    texts = [file.read_text(encoding="utf-8") for file in sorted(DOCUMENTS.glob("*.txt"))]
    flat = ["\n".join(line.strip() for line in text.splitlines() if line.strip()) for text in texts]
    wanted = "\n".join(line.strip() for line in printed(name) if line.strip())
    assert any(wanted in text for text in flat)
