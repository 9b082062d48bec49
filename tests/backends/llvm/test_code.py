"""Text in, machine code out: once per text, and kept while somebody holds it."""

import ctypes
import gc
import os
import pathlib
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from native_kernels import SAXPY, kernel, load

from chainrule.backends.llvm.code import CodeError, Function, Source, functions


@pytest.fixture(autouse=True)
def a_cache_of_our_own(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))


def call(function: Function, *numbers: int) -> int:
    signature = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * len(numbers))
    return int(signature(function.address)(*numbers))


def constant(value: int, name: str = "f") -> Source:
    return Source(name, f"define i64 @{name}() {{\n  ret i64 {value}\n}}")


def test_code_computes_what_the_text_says() -> None:
    add = Source("add", "define i64 @add(i64 %a, i64 %b) {\n %c = add i64 %a, %b\n ret i64 %c\n}")
    (function,) = functions([add])
    assert call(function, 40, 2) == 42


def test_one_text_is_compiled_once() -> None:
    first, other, again = functions([constant(1), constant(2), constant(1)])
    assert first is again
    assert functions([constant(2)])[0] is other
    assert [call(f) for f in (first, other)] == [1, 2]


def test_a_generator_of_texts_keeps_its_order() -> None:
    def texts() -> Iterator[Source]:
        for i in range(20):
            yield constant(100 + i)

    assert [call(f) for f in functions(texts())] == list(range(100, 120))


def test_kept_code_is_found_again_when_nobody_holds_it() -> None:
    (first,) = functions([constant(3)])
    assert first.origin == "compiled"
    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None
    (again,) = functions([constant(3)])
    assert again.origin == "disk" and call(again) == 3


def test_code_of_another_process_is_found() -> None:
    script = (
        "from chainrule.backends.llvm.code import functions, Source\n"
        "text = 'define i64 @f() {\\n  ret i64 77\\n}'\n"
        "print(functions([Source('f', text)])[0].origin)\n"
    )
    runs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert [run.stdout.strip() for run in runs] == ["compiled", "disk"]
    (here,) = functions([constant(77)])
    assert here.origin == "disk" and call(here) == 77


def test_a_damaged_entry_is_compiled_anew(tmp_path: pathlib.Path) -> None:
    functions([constant(4)])
    gc.collect()
    (entry,) = (tmp_path / "cache").rglob("*.o")
    entry.write_bytes(entry.read_bytes()[:-5] + b"12345")
    (again,) = functions([constant(4)])
    assert again.origin == "compiled" and call(again) == 4
    del again
    gc.collect()
    assert functions([constant(4)])[0].origin == "disk"


def test_the_target_is_part_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAINRULE_TARGET", raising=False)
    (here,) = functions([constant(5)])
    monkeypatch.setenv("CHAINRULE_TARGET", "x86-64" if os.uname().machine == "x86_64" else "neon")
    (plain,) = functions([constant(5)])
    assert plain.key != here.key and plain.origin == "compiled"


@pytest.mark.parametrize(
    "text", ["define i64 @f( {", "define i64 @f() {\n  ret i32 0\n}", "what is this?"]
)
def test_a_text_that_llvm_refuses_is_said_with_its_reason(text: str) -> None:
    with pytest.raises(CodeError, match=r"(?s)LLVM does not take.*" + "f|what"):
        functions([Source("f", text)])
    assert call(functions([constant(6)])[0]) == 6  # and nothing is left locked


def test_a_function_that_is_not_there_is_an_error() -> None:
    with pytest.raises(CodeError, match="g cannot be loaded"):
        functions([Source("g", constant(7).text)])


def test_code_may_call_what_llvm_puts_in_on_its_own() -> None:
    text = """
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
define void @zero(ptr %p, i64 %n) {
  call void @llvm.memset.p0.i64(ptr %p, i8 7, i64 %n, i1 false)
  ret void
}"""
    (function,) = functions([Source("zero", text)])
    array = np.zeros(100, np.uint8)
    call(function, array.ctypes.data, 100)
    assert (array == 7).all()


def test_constants_that_do_not_fit_an_instruction_are_found() -> None:
    vector = "<" + ", ".join(f"float {i}.5" for i in range(8)) + ">"
    text = (
        f"define void @f(ptr %p) {{\n  store <8 x float> {vector}, ptr %p, align 4\n  ret void\n}}"
    )
    many = functions([Source("f", text + "\n" * i) for i in range(5)])
    for function in many:
        array = np.zeros(8, np.float32)
        call(function, array.ctypes.data)
        assert (array == np.arange(8) + 0.5).all()


def test_several_threads_may_ask_at_once() -> None:
    found: list[list[int]] = []

    def ask() -> None:
        found.append([call(f) for f in functions([constant(1000 + i) for i in range(10)])])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [list(range(1000, 1010))] * 4


def test_dropped_code_leaves_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def resident() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1])

    if not os.path.exists("/proc/self/statm"):
        pytest.skip("no /proc")

    def once(i: int) -> None:
        functions([kernel("k", "y", "", f"  store volatile i64 {i}, ptr %y")])

    monkeypatch.setenv("CHAINRULE_CACHE", "off")
    for i in range(50):
        once(i)
    before = resident()
    for i in range(50, 250):
        once(i)
    gc.collect()
    assert resident() - before < 1000  # pages: 5 of 200 programs' memory would be more


def test_saxpy() -> None:
    (function,) = load(SAXPY)
    x, y = np.arange(10, dtype=np.float32), np.ones(10, np.float32)
    addresses = np.array([0, x.ctypes.data, y.ctypes.data])
    args = np.array([1, 2])
    call(function, addresses.ctypes.data, args.ctypes.data, 0, 2, 5)
    assert y.tolist() == [1, 1, 5, 7, 9, 1, 1, 1, 1, 1]


def test_importing_chainrule_does_not_load_the_compiler() -> None:
    script = "import sys, chainrule; print('llvmlite' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
