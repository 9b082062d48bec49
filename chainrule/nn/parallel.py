"""`DataParallel`, truthfully: there is one process and one device, so it runs its module."""

from __future__ import annotations

from typing import Any

from chainrule.nn.modules.module import Module


class DataParallel(Module):
    """Runs `module`; its parameters are under "module." as in PyTorch's files."""

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)
