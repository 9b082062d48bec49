"""`torch.version`: what this build is."""

from __future__ import annotations

from chainrule import names
from chainrule._version import __version__ as __version__

__getattr__ = names.later(__name__)

debug = False
cuda: str | None = None
hip: str | None = None
xpu: str | None = None
git_version: str | None = None
