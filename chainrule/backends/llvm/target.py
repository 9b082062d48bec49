"""What machine code is generated for: the vectors of a processor, and how LLVM calls it.

`host()` is the processor that we run on. The names `avx512`, `avx2`, `x86-64` and `neon` are plain
processors of that kind, the same on every machine, so that tests can compare what is emitted.
`CHAINRULE_TARGET=avx2` makes `host()` answer with such a plain processor, if this one can run it.

>>> from chainrule.backends.llvm.target import named
>>> avx2 = named("avx2")
>>> avx2.vector_bytes, avx2.lanes(4), avx2.registers, avx2.fma
(32, 8, 16, True)
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path

import llvmlite.binding as llvm

from chainrule.errors import DeviceError

#: Processor features that a level promises, as LLVM writes them. More may be there.
_NEEDS = {
    "avx512": ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx2", "fma", "f16c"),
    "avx2": ("avx2", "fma", "f16c", "bmi2"),
    "x86-64": ("sse2",),
    "neon": ("neon",),
}

#: Where Linux tells the caches of a core.
_CPU = Path("/sys/devices/system/cpu/cpu0/cache")


@dataclass(frozen=True)
class Target:
    """A kind of processor, as far as the generated code depends on it."""

    #: The level: "avx512", "avx2", "x86-64", "neon", or "other" (128-bit vectors that LLVM splits).
    name: str
    #: LLVM's triple, processor and features ("+avx2,-avx512f").
    triple: str
    cpu: str
    features: str
    #: Bytes of one vector register, and how many there are.
    vector_bytes: int
    registers: int
    #: Whether a fused multiply-add is one instruction.
    fma: bool
    #: Bytes of a core's first cache (for data) and of its second one.
    caches: tuple[int, int] = (32 << 10, 512 << 10)

    def lanes(self, itemsize: int) -> int:
        """How many elements of `itemsize` bytes one vector register holds."""
        return self.vector_bytes // itemsize

    def has(self, feature: str) -> bool:
        """Whether the processor has a feature beyond its level, such as "avx512bf16"."""
        return f"+{feature}" in self.features.split(",") or feature in _NEEDS.get(self.name, ())

    @property
    def attributes(self) -> str:
        """What an emitted function carries: `define void @f(...) {attributes} {`.

        Without the width, LLVM halves 512-bit vectors on processors that once had to lower their
        clock for them.
        """
        return f'nounwind "prefer-vector-width"="{8 * self.vector_bytes}"'

    @property
    def key(self) -> str:
        """All that code depends on, as one line (for the cache)."""
        return f"{self.name} {self.triple} {self.cpu} {self.features}"

    @property
    def runs_here(self) -> bool:
        """Whether this process can run the code (of this very operating system, too)."""
        return self.triple == _triple() and all(_host_features().get(f) for f in self._needs)

    @property
    def _needs(self) -> tuple[str, ...]:
        asked = tuple(f[1:] for f in self.features.split(",") if f.startswith("+"))
        return _NEEDS.get(self.name, ()) + asked


#: Vector bytes, registers and fused multiply-add of each level.
_VECTORS = {
    "avx512": (64, 32, True),
    "avx2": (32, 16, True),
    "x86-64": (16, 16, False),
    "neon": (16, 32, True),
    "other": (16, 16, False),
}
#: Bytes of the first and the second cache, where the system does not tell them.
_CACHES = {"avx512": (48 << 10, 1 << 20), "neon": (64 << 10, 512 << 10)}
_USUAL = (32 << 10, 512 << 10)
_CPUS = {"avx512": "x86-64-v4", "avx2": "x86-64-v3", "x86-64": "x86-64", "neon": "generic"}
NAMES = tuple(_CPUS)


@functools.cache
def _triple() -> str:
    return str(llvm.get_process_triple())


@functools.cache
def _host_features() -> dict[str, bool]:
    found = dict(llvm.get_host_cpu_features())
    if _triple().startswith(("aarch64", "arm64")):
        found.setdefault(
            "neon", True
        )  # every 64-bit Arm that we know has it; not all systems say so
    if _triple().startswith("x86_64"):
        found.setdefault("sse2", True)
    return found


@functools.cache
def named(name: str) -> Target:
    """The plain processor of a level, whatever this machine is.

    Raises `DeviceError` for a name that is none of `NAMES`.
    """
    if name not in _CPUS:
        raise DeviceError(f"no target is called {name!r}: choose one of {', '.join(NAMES)}")
    vector_bytes, registers, fma = _VECTORS[name]
    ours = _triple()
    if name == "neon":
        triple = ours if ours.startswith(("aarch64", "arm64")) else "aarch64-unknown-linux-gnu"
    else:
        triple = ours if ours.startswith("x86_64") else "x86_64-unknown-linux-gnu"
    features = "-prefer-256-bit" if name == "avx512" else ""
    caches = _CACHES.get(name, _USUAL)
    return Target(name, triple, _CPUS[name], features, vector_bytes, registers, fma, caches)


def _size(text: str) -> int:
    """Bytes of "48K"."""
    unit = {"K": 10, "M": 20}.get(text[-1:], 0)
    return int(text.rstrip("KM")) << unit


def host_caches(folder: Path = _CPU) -> tuple[int, int] | None:
    """First and second cache as Linux tells them; None if it does not, or what it says is odd."""
    found: dict[str, int] = {}
    for place in sorted(folder.glob("index*")):
        try:
            level, kind, size = ((place / f).read_text().strip() for f in ("level", "type", "size"))
            if kind != "Instruction":
                found[level] = _size(size)
        except (OSError, ValueError):
            return None
    first, second = found.get("1", 0), found.get("2", 0)
    return (first, second) if 8 << 10 <= first < second else None


@functools.cache
def _detected() -> Target:
    found, triple = _host_features(), _triple()
    levels: tuple[str, ...] = ()
    if triple.startswith(("aarch64", "arm64")):
        levels = ("neon",)
    elif triple.startswith("x86_64"):
        levels = ("avx512", "avx2", "x86-64")
    name = next((n for n in levels if all(found.get(f) for f in _NEEDS[n])), "other")
    # Features that are off are said too: a virtual machine may hide some that its processor has.
    features = [f"{'+' if on else '-'}{f}" for f, on in sorted(found.items())]
    if name == "avx512":
        features.append("-prefer-256-bit")
    vector_bytes, registers, fma = _VECTORS[name]
    cpu = str(llvm.get_host_cpu_name())
    caches = host_caches() or _CACHES.get(name, _USUAL)
    return Target(name, triple, cpu, ",".join(features), vector_bytes, registers, fma, caches)


def host() -> Target:
    """The processor that kernels are compiled for and run on.

    The environment variable CHAINRULE_TARGET restricts it to a plain one of `NAMES`. Raises
    `DeviceError` if this machine cannot run that.
    """
    name = os.environ.get("CHAINRULE_TARGET", "")
    if name in ("", "host"):
        return _detected()
    target = named(name)
    if not target.runs_here:
        raise DeviceError(
            f"CHAINRULE_TARGET={name}, but this processor ({_detected().cpu}, "
            f"{_detected().name}) cannot run it: unset the variable or choose a lower level"
        )
    return target
