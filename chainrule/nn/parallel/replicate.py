"""One module for several devices: with one device, the module itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.nn.modules.module import Module


def replicate(network: Module, devices: Sequence[Any], detach: bool = False) -> list[Module]:
    """The module, as often as there are devices: they share its parameters, as replicas do."""
    return [network for _ in devices]
