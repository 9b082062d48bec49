"""`torch.onnx`: models are not written as ONNX files by this version."""

from __future__ import annotations

from typing import Any, NoReturn

from chainrule import names

_WHY = (
    "this version writes no ONNX files. Save the values with torch.save(model.state_dict(), f): "
    "PyTorch reads them, and its torch.onnx.export writes the file"
)

__getattr__ = names.absent(__name__, _WHY)


def export(model: Any, args: Any = (), f: Any = None, **options: Any) -> NoReturn:
    """Raises NotImplementedError: save the state dict, and export in PyTorch."""
    raise NotImplementedError(f"torch.onnx.export: {_WHY}")


_export = export


def is_in_onnx_export() -> bool:
    """False"""
    return False
