"""What a program may wish of a pipeline. All of it is about speed, and is kept, not followed."""

from __future__ import annotations

from typing import Any


class _Wishes:
    """Attributes that can be set freely."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        made = _Wishes()
        setattr(self, name, made)
        return made


class ThreadingOptions(_Wishes):
    """How many threads a pipeline may use."""


class Options(_Wishes):
    """`tf.data.Options()`: wishes for `with_options`."""

    def merge(self, other: Options) -> Options:
        """Both; where they differ, the other's."""
        both = Options()
        both.__dict__.update({**self.__dict__, **other.__dict__})
        return both
