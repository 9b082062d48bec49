"""Each level uses the vectors that it has, and all of their width."""

import re
from pathlib import Path

import pytest

from chainrule.backends.llvm.code import assemble, assembly
from chainrule.backends.llvm.target import NAMES, Target, host, host_caches, named
from chainrule.errors import DeviceError


def wide_add(target: Target) -> str:
    """Sums of as many vectors as there are registers: they spill unless all are there."""
    vector, count = f"<{target.lanes(4)} x float>", target.registers - 2
    lines = [f"define void @f(ptr %x, ptr %y) {target.attributes} {{"]
    for i in range(count):
        lines.append(f"  %p{i} = getelementptr {vector}, ptr %x, i64 {i}")
        lines.append(f"  %v{i} = load volatile {vector}, ptr %p{i}, align 4")
    for i in range(count):
        lines.append(f"  %m{i} = fmul {vector} %v{i}, %v{(i + 1) % count}")
        lines.append(f"  %q{i} = getelementptr {vector}, ptr %y, i64 {i}")
        lines.append(f"  store volatile {vector} %m{i}, ptr %q{i}, align 4")
    return "\n".join([*lines, "  ret void", "}"])


@pytest.mark.parametrize("name", NAMES)
def test_a_level_says_what_its_vectors_are(name: str) -> None:
    target = named(name)
    expected = {
        "avx512": (64, 32, True),
        "avx2": (32, 16, True),
        "x86-64": (16, 16, False),
        "neon": (16, 32, True),
    }
    assert (target.vector_bytes, target.registers, target.fma) == expected[name]
    assert target.lanes(4) * 4 == target.lanes(8) * 8 == target.vector_bytes


@pytest.mark.parametrize(
    ("name", "register"),
    [("avx512", r"%zmm3"), ("avx2", r"%ymm1"), ("x86-64", r"%xmm1"), ("neon", r"\bv2\d\.4s")],
)
def test_all_of_a_level_is_used_and_nothing_above(name: str, register: str) -> None:
    text = assembly(wide_add(named(name)), named(name))
    assert re.search(register, text)
    widest = {"avx2": "zmm", "x86-64": "ymm"}.get(name)
    assert widest is None or widest not in text
    assert not re.search(r"%rsp\)|q\d+, (q\d+, )?\[sp", text)  # nothing is spilled


@pytest.mark.parametrize("name", NAMES)
def test_a_multiply_add_is_one_instruction_where_there_is_one(name: str) -> None:
    target = named(name)
    vector = f"<{target.lanes(4)} x float>"
    call = f"call {vector} @llvm.fma.v{target.lanes(4)}f32({vector} %a, {vector} %b, {vector} %c)"
    text = (
        f"declare {vector} @llvm.fma.v{target.lanes(4)}f32({vector}, {vector}, {vector})\n"
        f"define {vector} @f({vector} %a, {vector} %b, {vector} %c) {target.attributes} {{\n"
        f"  %r = {call}\n  ret {vector} %r\n}}"
    )
    assert bool(re.search(r"vfmadd|fml[as]", assembly(text, target))) == target.fma


def test_every_level_assembles_on_every_machine() -> None:
    for name in NAMES:
        assert assemble(wide_add(named(name)), named(name))


def test_the_environment_restricts_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAINRULE_TARGET", raising=False)
    assert host().runs_here
    runnable = [name for name in NAMES if named(name).runs_here]
    for name in runnable:
        monkeypatch.setenv("CHAINRULE_TARGET", name)
        assert host() is named(name)
    for name in set(NAMES) - set(runnable):
        monkeypatch.setenv("CHAINRULE_TARGET", name)
        with pytest.raises(DeviceError, match="cannot run it"):
            host()
    monkeypatch.setenv("CHAINRULE_TARGET", "pentium")
    with pytest.raises(DeviceError, match="avx2"):
        host()


def test_the_key_tells_targets_apart() -> None:
    assert len({named(name).key for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        (["48K", "32K", "1M"], (48 << 10, 1 << 20)),
        (["32K", "32K", "1280K"], (32 << 10, 1280 << 10)),
        (["", "32K", "1M"], None),
        (["0K", "0K", "0K"], None),
    ],
    ids=["zen5", "intel", "odd", "hidden"],
)
def test_caches_as_the_system_tells_them(
    tmp_path: Path, sizes: list[str], expected: tuple[int, int] | None
) -> None:
    levels = [("1", "Data"), ("1", "Instruction"), ("2", "Unified")]
    for k, ((level, kind), size) in enumerate(zip(levels, sizes, strict=True)):
        folder = tmp_path / f"index{k}"
        folder.mkdir()
        for name, text in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(text + "\n")
    assert host_caches(tmp_path) == expected
    assert host_caches(tmp_path / "none") is None
