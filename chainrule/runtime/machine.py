"""The machine that this process runs on: processor, cores, memory, and how much of it was used."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import devices


def machine() -> dict[str, Any]:
    """The processor, and how much of it this process may use."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = cgroup_quota()
    usable = affinity or 1
    if quota is not None:
        usable = max(1, min(usable, int(quota + 0.5)))
    return {
        "system": f"{platform.system()} {platform.release()}",
        "cpu": cpu_name(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "cores this process may use": affinity,
        "quota (cgroup, cores)": quota,
        "usable cores": usable,
        "memory, GiB": memory(),
        "vector features": _features(),
        "device": str(devices.device("cpu")),
    }


def cpu_name() -> str:
    """The processor's own name, or its architecture where the system does not tell."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        told = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"],
            capture_output=True,
            text=True,
            check=False,
        )
        if told.returncode == 0:
            return told.stdout.strip()
    return platform.processor() or platform.machine()


def cgroup_quota(
    root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> float | None:
    """Cores' worth of time that the control group allows (version 2, then 1); None: no bound.

    The groups above the process's own bind as well: the smallest bound counts.
    """
    inside = ""
    if own.is_file():
        for line in own.read_text().splitlines():
            if line.startswith("0::"):
                inside = line[3:].strip("/")
    bounds = []
    group = root / inside
    for folder in (group, *group.parents):
        if folder == root.parent:
            break
        file = folder / "cpu.max"
        if file.is_file():
            allowed, _, period = file.read_text().strip().partition(" ")
            if allowed != "max" and period:
                bounds.append(int(allowed) / int(period))
    old = root / "cpu"
    if (old / "cpu.cfs_quota_us").is_file() and (old / "cpu.cfs_period_us").is_file():
        allowed_us = int((old / "cpu.cfs_quota_us").read_text())
        if allowed_us > 0:
            bounds.append(allowed_us / int((old / "cpu.cfs_period_us").read_text()))
    return min(bounds, default=None)


def _features() -> list[str]:
    """Vector extensions that NumPy was built for and found here."""
    simd = numpy_config("SIMD Extensions")
    return [*simd.get("baseline", []), *simd.get("found", [])]


def numpy_config(section: str) -> dict[str, Any]:
    """A section of what NumPy tells of how it was built."""
    config: Any = np.show_config(mode="dicts")
    found: dict[str, Any] = config.get(section, {})
    return found


def memory() -> float | None:
    """How much memory the machine has, in GiB; None where the system does not tell."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)


def peak_memory() -> int | None:
    """The most memory that this process has held so far, in bytes; None where nobody counts."""
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most) * (1 if sys.platform == "darwin" else 1024)
