"""`keras.src.utils.tracking`: what a layer keeps in lists is found where it is; nothing is wrapped.

Keras's tree functions go into its own sets, which are wrapped, and not into Python's. Where a test
has one, it gets a deque of another type.
"""

from __future__ import annotations

from collections import OrderedDict, deque

TrackedList = list
TrackedDict = dict
TrackedOrderedDict = OrderedDict


class TrackedSet(deque):
    """What is gone into, and is no list and no tuple."""
