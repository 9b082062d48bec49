"""Devices, truthfully: this version computes on the CPU and on nothing else."""

from __future__ import annotations

from typing import Any

from chainrule import faces
from chainrule.errors import DeviceError

#: What PyTorch calls a device.
TYPES = (
    "cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia",
    "xla", "lazy", "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone",
)  # fmt: skip


class device:
    """Where a tensor lives, as `torch.device`. Any name can be spelled; only "cpu" can be used.

    >>> device("cpu")
    device(type='cpu')
    """

    __slots__ = ("index", "type")
    type: str
    index: int | None

    def __init__(self, type: Any, index: int | None = None) -> None:
        if isinstance(type, device):
            type, index = type.type, type.index
        if isinstance(type, int):
            type, index = "cuda", type
        self.type, colon, number = str(type).partition(":")
        if self.type not in TYPES and faces.speaks_tensorflow():
            self.type, colon, number = "cpu", "", ""  # "/GPU:0": all there is to compute on
        if self.type not in TYPES:
            raise RuntimeError(
                f"Expected one of {', '.join(TYPES)} device type at start of device string: "
                f"{self.type}"
            )
        if colon and not number.isdecimal():
            raise RuntimeError(f"Invalid device string: '{type}'")
        self.index = int(number) if number else index

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __enter__(self) -> device:
        check(self)
        return self

    def __exit__(self, *_: object) -> None:
        return None


def check(d: Any) -> None:
    """Accept None and the CPU; anything else is an error that says what there is."""
    if d is None:
        return
    found = device(d)
    if found.type != "cpu":
        raise DeviceError(
            f"device {str(found)!r} is not available: this version of chainrule computes on the "
            "CPU only. "
            "Use device='cpu', or choose with torch.cuda.is_available(), which is False here."
        )
