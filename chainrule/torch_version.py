"""`torch.torch_version`: a version that compares with texts and tuples by its numbers."""

from __future__ import annotations

import re
from typing import Any

from chainrule import names
from chainrule._version import __version__ as _internal

__getattr__ = names.later(__name__)


def _key(version: Any) -> tuple[int, ...]:
    if isinstance(version, tuple):
        return tuple(int(v) for v in version)
    return tuple(int(n) for n in re.findall(r"\d+", str(version).partition("+")[0])[:3])


class TorchVersion(str):
    """A version as text, compared number by number.

    >>> TorchVersion("1.10.0") > "1.9", TorchVersion("2.0.1") >= (2, 0)
    (True, True)
    """

    def __lt__(self, other: Any) -> bool:
        return _key(self) < _key(other)

    def __le__(self, other: Any) -> bool:
        return _key(self) <= _key(other)

    def __gt__(self, other: Any) -> bool:
        return _key(self) > _key(other)

    def __ge__(self, other: Any) -> bool:
        return _key(self) >= _key(other)

    def __eq__(self, other: object) -> bool:
        return str(self) == other or (isinstance(other, tuple) and _key(self) == _key(other))

    __hash__ = str.__hash__


__version__ = TorchVersion(_internal)
