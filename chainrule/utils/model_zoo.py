"""`torch.utils.model_zoo`: the older names of `chainrule.hub`."""

from __future__ import annotations

import importlib
import os
from typing import Any


def load_url(
    url: str,
    model_dir: str | os.PathLike[str] | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = False,
) -> dict[str, Any]:
    """`chainrule.hub.load_state_dict_from_url`."""
    hub = importlib.import_module("chainrule.hub")  # by name: its room lies above this one
    return hub.load_state_dict_from_url(
        url, model_dir, map_location, progress, check_hash, file_name, weights_only
    )
