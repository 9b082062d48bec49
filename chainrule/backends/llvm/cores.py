"""How many threads a program gets: what this process may use, not what the machine has."""

from __future__ import annotations

import functools
import math
import os
import pathlib

#: The first of these that holds a positive number decides.
VARIABLES = ("CHAINRULE_NUM_THREADS", "OMP_NUM_THREADS")


def available() -> int:
    """Cores that this process may use: its affinity mask, and the quota of its control group.

    A quota of one and a half cores counts as two.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, math.ceil(min(cores, _quota(pathlib.Path("/")))))


def asked() -> int:
    """The number of threads to start with: `VARIABLES`, or else `available()`."""
    for variable in VARIABLES:
        first = os.environ.get(variable, "").split(",")[0].strip()  # OpenMP: one per nesting level
        if first.isdigit() and int(first) > 0:
            return int(first)
    return available()


@functools.cache
def _quota(root: pathlib.Path) -> float:
    """The least CPU quota, in cores, of the control groups that hold this process.

    Reads version 2 (`cpu.max`) and version 1 (`cpu.cfs_quota_us`) under `root`, for the group
    itself and all above it; inside a container the group's own path may lead nowhere, and its
    limits then lie at the mount.
    """
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return math.inf
    quotas = [math.inf]
    for line in groups:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mounts = [root / "sys/fs/cgroup", root / "sys/fs/cgroup/unified"]
        elif "cpu" in controllers.split(","):
            mounts = [root / "sys/fs/cgroup" / name for name in ("cpu", "cpu,cpuacct", controllers)]
        else:
            continue
        group = pathlib.PurePosixPath(path.lstrip("/"))
        for mount in mounts:
            quotas += [_quota_of(mount / place) for place in (group, *group.parents)]
    return min(quotas)


def _quota_of(folder: pathlib.Path) -> float:
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        if quota.strip() == "max" or int(quota) <= 0 or int(period) <= 0:
            return math.inf
        return int(quota) / int(period)
    except (OSError, ValueError):
        return math.inf
