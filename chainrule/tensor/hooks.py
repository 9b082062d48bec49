"""Handles that take a hook away again: of tensors, layers and optimisers.

A hook table is an ordered dictionary from a number to a function; the number is the handle's `id`.
Numbers are never given twice, so a handle that was used up cannot take a later hook away.
"""

from __future__ import annotations

import itertools
import weakref
from typing import Any

_numbers = itertools.count()


class RemovableHandle:
    """Takes away the hook that it was returned for; a `with` block takes it away at its end.

    `extra_dict` names further tables (one or a list) that are indexed by the same number.

    >>> from collections import OrderedDict
    >>> table = OrderedDict()
    >>> with RemovableHandle(table) as handle:
    ...     table[handle.id] = print
    >>> table
    OrderedDict()
    """

    def __init__(self, hooks_dict: Any, *, extra_dict: Any = None) -> None:
        self.id = next(_numbers)
        extra = extra_dict if isinstance(extra_dict, list) else [extra_dict]
        tables = [hooks_dict, *(table for table in extra if table is not None)]
        # Weak, so that a handle that outlives its layer keeps nothing alive.
        self._tables = [weakref.ref(table) for table in tables]

    def remove(self) -> None:
        """Take the hook away. Doing it twice does nothing."""
        for reference in self._tables:
            table = reference()
            if table is not None:
                table.pop(self.id, None)

    def __getstate__(self) -> tuple[int, list[Any]]:
        return self.id, [reference() for reference in self._tables]

    def __setstate__(self, state: tuple[int, list[Any]]) -> None:
        self.id, tables = state
        self._tables = [weakref.ref(table) for table in tables if table is not None]

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()
