"""`torch.backends.mkl`: MKL is not used."""

from __future__ import annotations

from chainrule import names

VERBOSE_OFF, VERBOSE_ON = 0, 1


def is_available() -> bool:
    """False"""
    return False


class verbose:
    """Accepted as a context: there is nothing that could report."""

    def __init__(self, enable: int) -> None:
        self.enable = enable

    def __enter__(self) -> verbose:
        return self

    def __exit__(self, *_: object) -> None:
        return None


__getattr__ = names.later(__name__)
