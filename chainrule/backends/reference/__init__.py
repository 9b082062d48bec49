"""The reference backend: NumPy, one primitive after another."""

from chainrule.backends.reference.execute import Executable, build, run_once

__all__ = ["Executable", "build", "run_once"]
