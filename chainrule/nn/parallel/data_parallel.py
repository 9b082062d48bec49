"""`DataParallel`, truthfully: there is one device, so it runs its module, as PyTorch does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.nn.modules.module import Module


class DataParallel(Module):
    """Runs `module`; its parameters are under "module." as in PyTorch's files."""

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[Any] | None = None,
        output_device: Any = None,
        dim: int = 0,
    ) -> None:
        super().__init__()
        self.module = module
        self.device_ids: list[Any] = []  # as in PyTorch without a GPU
        self.dim = dim

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the module gives."""
        return self.module(*inputs, **kwargs)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Sequence[Any] | None = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Any:
    """What the module gives for these inputs."""
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*given, **(module_kwargs or {}))
