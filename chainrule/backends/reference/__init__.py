"""The reference backend: NumPy, one primitive after another."""

from chainrule.backends.reference.execute import Executable, build

__all__ = ["Executable", "build"]
