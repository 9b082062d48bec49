"""A layer of this face inside a Module of the PyTorch face, with the same weights."""

from __future__ import annotations

from typing import Any

from chainrule.keras.variables import Variable
from chainrule.nn.modules.module import Module


class LayerModule(Module):
    """The Module that speaks for a layer: the layer's weights are its members, and it calls it.

    Weights are found when somebody asks, so that a layer may be built later. As in Keras, dropout
    and batch normalisation follow the argument `training` of the call, not `train()` and `eval()`.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.__dict__["layer"] = layer  # not a member: the layer is who this is

    def _variables(self, of_floats: bool) -> dict[str, Variable]:
        return {
            variable.path: variable
            for variable in self.layer.variables
            if variable.dtype.is_floating_point == of_floats
        }

    @property
    def _parameters(self) -> Any:  # type: ignore[override]  # made when asked for
        return self._variables(of_floats=True)

    @property
    def _buffers(self) -> Any:  # type: ignore[override]  # made when asked for
        return self._variables(of_floats=False)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.layer(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["layer"], name)

    def __repr__(self) -> str:
        return repr(self.layer)
