"""Names that Keras gives to what has none (dense, dense_1), and paths of what is made inside."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from typing import Any

_counts: defaultdict[str, int] = defaultdict(int)


class _Scopes(threading.local):
    def __init__(self) -> None:
        self.stack: list[name_scope] = []


_open = _Scopes()


def snake_case(name: str) -> str:
    """
    >>> snake_case("Conv2DTranspose"), snake_case("LSTM")
    ('conv2d_transpose', 'lstm')
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


to_snake_case = snake_case


def unique(prefix: str) -> str:
    """`prefix` itself the first time, then with _1, _2, …"""
    count = _counts[prefix]
    _counts[prefix] += 1
    return f"{prefix}_{count}" if count else prefix


def auto_name(class_name: str) -> str:
    """The next free name for an object of a class.

    >>> auto_name("SomeNewLayer"), auto_name("SomeNewLayer")
    ('some_new_layer', 'some_new_layer_1')
    """
    return unique(snake_case(class_name))


uniquify = unique


def get_uid(prefix: str = "") -> int:
    """A number that counts the calls with this prefix, from 1."""
    _counts[prefix] += 1
    return _counts[prefix]


def reset() -> None:
    """Count from the beginning again (`clear_session`)."""
    _counts.clear()
    _open.stack.clear()


def check_name(name: Any) -> str:
    """A name that can be a part of a path, or a ValueError."""
    if not isinstance(name, str) or "/" in name:
        raise ValueError(
            f"Argument `name` must be a string and cannot contain character `/`. "
            f"Received: name={name} (of type {type(name)})"
        )
    return name


class name_scope:
    """Variables made inside have `name/` before theirs in their paths.

    Entering again for the same `caller` changes nothing; `override_parent` replaces what is open.

    >>> with name_scope("outer"), name_scope("inner"):
    ...     current_path()
    'outer/inner'
    """

    def __init__(
        self,
        name: str,
        caller: Any = None,
        deduplicate: bool = True,
        override_parent: str | None = None,
    ) -> None:
        self.name = check_name(name)
        self.caller = caller
        self.deduplicate = deduplicate
        if override_parent is None and deduplicate:
            override_parent = getattr(caller, "_parent_path", None)
        self.override_parent = override_parent
        self._pop_on_exit = False

    def __enter__(self) -> name_scope:
        stack = _open.stack
        again = (
            self.deduplicate
            and bool(stack)
            and self.caller is not None
            and stack[-1].caller is self.caller
            and stack[-1].name == self.name
        )
        if not again:
            stack.append(self)
            self._pop_on_exit = True
        return self

    def __exit__(self, *exc: Any) -> None:
        if self._pop_on_exit and _open.stack:
            _open.stack.pop()


def current_path() -> str:
    """The names of the open scopes, joined by `/`."""
    parts: list[str] = []
    for scope in _open.stack:
        if scope.override_parent is not None:
            parts = [part for part in scope.override_parent.split("/") if part]
        parts.append(scope.name)
    return "/".join(parts)
