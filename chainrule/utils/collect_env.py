"""`torch.utils.collect_env`: what a report of a problem should begin with."""

from __future__ import annotations

import importlib
import os
import platform
import sys

from chainrule import names
from chainrule._version import __version__

__getattr__ = names.later(__name__)


def get_pretty_env_info() -> str:
    """Versions and machine, a line for each."""
    lines = [
        f"chainrule version: {__version__}",
        "CUDA available: False",
        f"Python version: {sys.version.split()[0]} ({platform.architecture()[0]} runtime)",
        f"OS: {platform.platform()}",
        f"CPU: {platform.processor() or platform.machine()}, {os.cpu_count()} cores",
    ]
    for library in ("numpy", "llvmlite", "ml_dtypes", "safetensors"):
        found = importlib.import_module(library)
        lines.append(f"{library}: {getattr(found, '__version__', 'unknown')}")
    return "\n".join(lines)


def main() -> None:
    """Print it."""
    print(get_pretty_env_info())


if __name__ == "__main__":
    main()
