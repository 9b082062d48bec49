"""Names that Keras gives to what has none: dense, dense_1, dense_2."""

from __future__ import annotations

import re
from collections import defaultdict

_counts: defaultdict[str, int] = defaultdict(int)


def snake_case(name: str) -> str:
    """
    >>> snake_case("Conv2DTranspose"), snake_case("LSTM")
    ('conv2d_transpose', 'lstm')
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def unique(prefix: str) -> str:
    """`prefix` itself the first time, then with _1, _2, …"""
    count = _counts[prefix]
    _counts[prefix] += 1
    return f"{prefix}_{count}" if count else prefix


def auto_name(class_name: str) -> str:
    return unique(snake_case(class_name))


def reset() -> None:
    """Count from the beginning again (`clear_session`)."""
    _counts.clear()
