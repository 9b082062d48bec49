"""LLVM IR text → machine code in memory.

A *source* is a module's text and the name of the function that is wanted. The text names no triple
and no data layout: they are the target's. Sources with the same text share their code, in memory
as long as somebody holds the `Function`, and on disk (`cache.py`) beyond the process.

LLVM's passes are few, because the text is written as it should run (docs/decisions/0009): splitting
what lies on the stack into registers, and joining blocks. The rest is code generation, and that is
where the time goes; it runs on several threads. llvmlite's own calls hold one lock, so those that
take long go to the library directly. LLVM promises that threads do not meet as long as each has
its own context and target machine.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import itertools
import os
import queue
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import llvmlite
import llvmlite.binding as llvm

from chainrule.backends.llvm import cores
from chainrule.backends.llvm.cache import cache
from chainrule.backends.llvm.target import Target, host
from chainrule.errors import ChainruleError

#: Counts changes of how this file makes code of a text: old entries on disk are then not found.
VERSION = 1


class CodeError(ChainruleError):
    """LLVM does not take a text: a fault of ours, never of the user's."""


class Source(NamedTuple):
    """A module in LLVM IR, and the function in it that is wanted."""

    name: str
    text: str


class Function:
    """Machine code in memory. It stays there as long as this object lives."""

    __slots__ = ("__weakref__", "_library", "address", "key", "name", "origin", "seconds", "size")

    def __init__(self, name: str, key: str, origin: str, seconds: float, size: int) -> None:
        self.name = name
        self.key = key
        #: "compiled" in this process, or found on "disk".
        self.origin = origin
        #: What making it took: compiling, or reading.
        self.seconds = seconds
        #: Bytes of object code.
        self.size = size
        self.address = 0
        self._library: object = None

    def __repr__(self) -> str:
        return f"<{self.name} at {self.address:#x}, {self.origin}, {1e3 * self.seconds:.1f} ms>"


def functions(sources: Iterable[Source]) -> list[Function]:
    """Code for this machine, one function per source.

    `sources` may be a generator: what it has yielded is compiled while it writes the next.
    Raises `CodeError` if LLVM refuses a text.
    """
    target, kept = host(), cache()
    wanted: list[str] = []
    ready: dict[str, Function] = {}
    coming: dict[str, tuple[str, Future[tuple[bytes, float]]]] = {}
    with _lock, _compilers() as compilers:
        for source in sources:
            key = _key(source, target)
            wanted.append(key)
            if key in ready or key in coming:
                continue
            if (known := _loaded.get(key)) is not None:
                ready[key] = known
                continue
            started = time.perf_counter()
            code = kept.get(key) if kept else None
            if code is None:
                coming[key] = source.name, _soon(compilers, source, target)
            else:
                ready[key] = _load(source.name, key, code)
                ready[key].origin, ready[key].seconds = "disk", time.perf_counter() - started
        for key, (name, future) in coming.items():
            code, seconds = future.result()
            ready[key] = _load(name, key, code)
            ready[key].seconds += seconds
            if kept:
                kept.put(key, code)
    return [ready[key] for key in wanted]


def assemble(text: str, target: Target) -> bytes:
    """The object file of a module, for any target, whether or not it runs here."""
    with _machine(target) as machine:
        return _compile(text, target, machine, as_object=True)


def assembly(text: str, target: Target) -> str:
    """The assembly text of a module, for readers and tests."""
    with _machine(target) as machine:
        return _compile(text, target, machine, as_object=False).decode()


# --- names ----------------------------------------------------------------------------------------

_MAKERS = f"{VERSION} llvmlite {llvmlite.__version__} llvm {llvm.llvm_version_info}"


def _key(source: Source, target: Target) -> str:
    head = f"{_MAKERS}\n{target.key}\n{source.name}\n"
    return hashlib.blake2b((head + source.text).encode(), digest_size=20).hexdigest()


# --- the library, without llvmlite's lock ---------------------------------------------------------

_P = ctypes.c_void_p
_OUT = ctypes.POINTER(_P)
_library = ctypes.CDLL(llvm.ffi.lib._name)


def _direct(name: str, result: object, *arguments: object) -> ctypes._NamedFuncPointer:
    function = _library[f"LLVMPY_{name}"]
    function.restype = result  # type: ignore[assignment]  # ctypes' stubs know fewer types
    function.argtypes = arguments  # type: ignore[assignment]
    return function


_new_context = _direct("ContextCreate", _P)
_free_context = _direct("ContextDispose", None, _P)
_parse = _direct("ParseAssembly", _P, _P, ctypes.c_char_p, _OUT)
_free_module = _direct("DisposeModule", None, _P)
_verify = _direct("VerifyModule", ctypes.c_int, _P, _OUT)
_free_string = _direct("DisposeString", None, _P)
_new_options = _direct("CreatePipelineTuningOptions", _P)
_free_options = _direct("DisposePipelineTuningOptions", None, _P)
_new_builder = _direct("CreatePassBuilder", _P, _P, _P)
_free_builder = _direct("DisposePassBuilder", None, _P)
_new_passes = _direct("CreateNewModulePassManager", _P)
_free_passes = _direct("DisposeNewModulePassManger", None, _P)  # the library's spelling
_add_inliner = _direct("module_AddAlwaysInlinerPass", None, _P)
_add_sroa = _direct("module_AddSROAPass", None, _P)
_add_simplify = _direct("module_AddSimplifyCFGPass", None, _P)
_run_passes = _direct("RunNewModulePassManager", None, _P, _P, _P)
_emit = _direct("TargetMachineEmitToMemory", _P, _P, _P, ctypes.c_int, _OUT)
_buffer_start = _direct("GetBufferStart", _P, _P)
_buffer_size = _direct("GetBufferSize", ctypes.c_size_t, _P)
_free_buffer = _direct("DisposeMemoryBuffer", None, _P)


def _compile(text: str, target: Target, machine: llvm.TargetMachine, as_object: bool) -> bytes:
    layout = str(machine.target_data)
    head = f'target datalayout = "{layout}"\ntarget triple = "{target.triple}"\n'
    pointer, message = ctypes.cast(machine._ptr, _P), _P()
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: _free_string(message) if message.value else None)
        context = _new_context()
        stack.callback(_free_context, context)
        module = _parse(context, (head + text).encode(), message)
        if not module:
            raise CodeError(_complaint(message, text))
        stack.callback(_free_module, module)
        if _verify(module, message):
            raise CodeError(_complaint(message, text))
        options = _new_options()
        stack.callback(_free_options, options)
        builder = _new_builder(pointer, options)
        stack.callback(_free_builder, builder)
        passes = _new_passes()
        stack.callback(_free_passes, passes)
        _add_inliner(passes)
        _add_sroa(passes)
        _add_simplify(passes)
        _run_passes(passes, module, builder)
        buffer = _emit(pointer, module, int(as_object), message)
        if not buffer:
            raise CodeError(_complaint(message, text))
        stack.callback(_free_buffer, buffer)
        return ctypes.string_at(_buffer_start(buffer), _buffer_size(buffer))


def _complaint(message: ctypes.c_void_p, text: str) -> str:
    said = ""
    if message.value:
        said = ctypes.string_at(message.value).decode(errors="replace").strip()
    return f"LLVM does not take a text of ours: {said or 'no reason given'}\n{text[:2000]}"


# --- target machines: one per thread at a time ----------------------------------------------------

_machines: dict[Target, queue.SimpleQueue[llvm.TargetMachine]] = {}


@contextlib.contextmanager
def _machine(target: Target) -> Iterator[llvm.TargetMachine]:
    """A target machine that nobody else uses meanwhile."""
    shelf = _machines.setdefault(target, queue.SimpleQueue())
    try:
        machine = shelf.get_nowait()
    except queue.Empty:
        machine = _new_machine(target)
    try:
        yield machine
    finally:
        shelf.put(machine)


def _new_machine(target: Target) -> llvm.TargetMachine:
    if target.triple == llvm.get_process_triple():
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
    else:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
    # Small and position-independent: constants are then operands of the instructions that use
    # them. The default for code in memory loads each one's address first.
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=2, reloc="pic", codemodel="small", jit=True
    )


# --- several at once ------------------------------------------------------------------------------


@contextlib.contextmanager
def _compilers() -> Iterator[ThreadPoolExecutor]:
    """Threads that compile; none is started before there is work, and none stays."""
    executor = ThreadPoolExecutor(cores.available(), "chainrule-compile")
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _soon(
    compilers: ThreadPoolExecutor, source: Source, target: Target
) -> Future[tuple[bytes, float]]:
    try:
        return compilers.submit(_timed, source, target)
    except RuntimeError:  # the interpreter is on its way out and starts no threads
        done: Future[tuple[bytes, float]] = Future()
        done.set_result(_timed(source, target))
        return done


def _timed(source: Source, target: Target) -> tuple[bytes, float]:
    started = time.perf_counter()
    code = assemble(source.text, target)
    return code, time.perf_counter() - started


# --- into memory ----------------------------------------------------------------------------------

_lock = threading.RLock()  # one caller at a time: two would compile the same text twice
_loaded: weakref.WeakValueDictionary[str, Function] = weakref.WeakValueDictionary()
_numbers = itertools.count()


@functools.cache
def _linker() -> llvm.orcjit.LLJIT:
    # JITLink places a library's parts side by side, which the small code model asks for.
    return llvm.create_lljit_compiler(_new_machine(host()), use_jit_link=True)


def _load(name: str, key: str, code: bytes) -> Function:
    function = Function(name, key, "compiled", 0.0, len(code))
    library = llvm.JITLibraryBuilder().add_object_img(code).export_symbol(name)
    library.add_current_process()  # memcpy and memset, which LLVM puts in on its own
    try:
        function._library = tracker = library.link(_linker(), f"chainrule.{next(_numbers)}")
    except RuntimeError as error:
        raise CodeError(f"code of {name} cannot be loaded: {error}") from None
    function.address = tracker[name]
    _loaded[key] = function
    return function


# A child must not inherit the lock from a thread that it does not have.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )
