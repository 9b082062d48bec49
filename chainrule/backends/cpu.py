"""`torch.backends.cpu`: what the processor can do."""

from __future__ import annotations

import platform
from pathlib import Path

from chainrule import names


def get_cpu_capability() -> str:
    """DEFAULT, AVX2 or AVX512: the widest vectors of this processor, as far as Linux tells."""
    info = Path("/proc/cpuinfo")
    flags = info.read_text(encoding="utf-8", errors="replace") if info.exists() else ""
    if "avx512f" in flags:
        return "AVX512"
    if "avx2" in flags:
        return "AVX2"
    return "NEON" if platform.machine() in ("arm64", "aarch64") else "DEFAULT"


__getattr__ = names.later(__name__)
