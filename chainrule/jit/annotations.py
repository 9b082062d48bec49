"""`torch.jit.annotations`: types that say a number may stand for several."""

from __future__ import annotations

from typing import Any


class BroadcastingListCls:
    """`BroadcastingList2[int]`: one int, or a list of two. Nothing is checked."""

    def __getitem__(self, types: Any) -> Any:
        return types


BroadcastingList1 = BroadcastingList2 = BroadcastingList3 = BroadcastingListCls()
BroadcastingList4 = BroadcastingList5 = BroadcastingList6 = BroadcastingListCls()
