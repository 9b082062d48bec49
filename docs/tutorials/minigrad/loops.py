"""Elementwise parts of a graph as machine code: one loop over the elements, no array in between.

A kernel is a node and what it is computed from, as long as that is elementwise and nobody else
asks for it. Its code is written by demand: to have an element of a node, have the same element of
its inputs, and apply the instruction. Broadcasting is index arithmetic: where an axis has one
element, its index is 0.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from ctypes import CFUNCTYPE, c_void_p
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

from .node import Node, users
from .ops import broadcast, const

REAL, INDEX, POINTER = ir.DoubleType(), ir.IntType(64), ir.DoubleType().as_pointer()


def groups(outputs: Sequence[Node]) -> tuple[set[Node], dict[Node, Kernel]]:
    """Which nodes disappear inside kernels, and the kernel of each elementwise node that stays."""
    reads = users(outputs)

    def disappears(n: Node) -> bool:
        cheap = n.op is broadcast or (n.op.elementwise and len(reads[n]) == 1)
        return n.op is const or (cheap and all(u.op.elementwise for u in reads[n]))

    inside = {n for n in reads if disappears(n) and n not in outputs}
    roots = [n for n in reads if n.op.elementwise and n not in inside]
    return inside, {n: Kernel(f"kernel{k}", n, inside) for k, n in enumerate(roots, 1)}


class Kernel:
    """One nest of loops that computes every element of `root`."""

    def __init__(self, name: str, root: Node, inside: set[Node]) -> None:
        self.name, self.root, self.inside = name, root, inside
        self.reads = self._leaves(root)

    def _leaves(self, n: Node) -> list[Node]:
        parts = [self._leaves(i) if i in self.inside else [i] for i in n.inputs]
        return list(dict.fromkeys(x for part in parts for x in part))

    @functools.cached_property
    def text(self) -> str:
        """The kernel in LLVM's language."""
        module = ir.Module(self.name)
        kind = ir.FunctionType(ir.VoidType(), [POINTER] * (1 + len(self.reads)))
        function = ir.Function(module, kind, self.name)
        out, *places = function.args
        k = ir.IRBuilder(function.append_basic_block("entry"))
        with ExitStack() as nest:
            index = [nest.enter_context(loop(k, n)) for n in self.root.shape]
            known = {n: (place, n.shape) for n, place in zip(self.reads, places, strict=True)}
            k.store(self._element(k, self.root, index, known), at(k, out, self.root.shape, index))
        k.ret_void()
        return str(module)

    def _element(self, k: ir.IRBuilder, n: Node, index: list[Any], known: dict[Node, Any]) -> Any:
        """The element of a node at an index."""
        index = index[len(index) - len(n.shape) :]  # broadcasting adds axes in front
        if n in known:
            return k.load(at(k, *known[n], index), typ=REAL)
        if n.op is const:
            return REAL(n.attrs["value"])
        values = [self._element(k, i, index, known) for i in n.inputs]
        return values[0] if n.op is broadcast else instruction(k, n.op.instruction, values)

    @functools.cached_property
    def code(self) -> Any:
        """The address of the machine code, as a function."""
        engine = _engine()
        module = llvm.parse_assembly(self.text)
        passes = llvm.create_pass_builder(_machine(), llvm.create_pipeline_tuning_options(3))
        passes.getModulePassManager().run(module, passes)
        engine.add_module(module)
        engine.finalize_object()
        kind = CFUNCTYPE(None, *[c_void_p] * (1 + len(self.reads)))
        return kind(engine.get_function_address(self.name))

    def __call__(self, *arrays: np.ndarray) -> np.ndarray:
        out = np.empty(self.root.shape)
        arrays = tuple(np.ascontiguousarray(a, dtype=np.float64) for a in arrays)
        self.code(out.ctypes.data, *(a.ctypes.data for a in arrays))
        return out


# ------------------------------------------------------------------ what code is written with


@contextmanager
def loop(k: ir.IRBuilder, n: int) -> Iterator[Any]:
    """for i in range(n): what stands under `with` is the body."""
    before, body, after = k.block, k.append_basic_block("body"), k.append_basic_block("after")
    k.branch(body)
    k.position_at_end(body)
    i = k.phi(INDEX, "i")
    i.add_incoming(INDEX(0), before)
    yield i
    following = k.add(i, INDEX(1))
    i.add_incoming(following, k.block)
    k.cbranch(k.icmp_signed("<", following, INDEX(n)), body, after)
    k.position_at_end(after)


def at(k: ir.IRBuilder, place: Any, shape: tuple[int, ...], index: list[Any]) -> Any:
    """Where an element lies: row by row."""
    offset = None
    for n, i in zip(shape, index, strict=True):
        here = INDEX(0) if n == 1 else i
        offset = here if offset is None else k.add(k.mul(offset, INDEX(n)), here)
    return k.gep(place, [offset or INDEX(0)], source_etype=REAL)


def instruction(k: ir.IRBuilder, name: str, values: list[Any]) -> Any:
    """An instruction of the machine, or a function of the C library."""
    if name == "above":
        return k.uitofp(k.fcmp_ordered(">", *values), REAL)
    if hasattr(k, name):
        return getattr(k, name)(*values)
    kind = ir.FunctionType(REAL, [REAL] * len(values))
    known = k.module.globals.get(name)
    return k.call(known or ir.Function(k.module, kind, name), values)


@functools.cache
def _machine() -> llvm.TargetMachine:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(opt=3)


@functools.cache
def _engine() -> llvm.ExecutionEngine:
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
