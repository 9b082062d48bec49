"""Layers one after the other, for data sets."""

from __future__ import annotations

from typing import Any

from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.preprocessing.data_layer import DataLayer
from chainrule.keras.layers.signatures import signature_of
from chainrule.keras.registry import from_config as object_from_config
from chainrule.keras.registry import known, to_config


@known
class Pipeline(DataLayer):
    """Layers of preprocessing, called in order.

    >>> from chainrule.keras.layers.preprocessing.rescaling import Rescaling
    >>> Pipeline([Rescaling(2.0), Rescaling(1.0, offset=1.0)])([1.0, 2.0]).tolist()
    [3.0, 5.0]
    """

    def __init__(self, layers: Any, name: str | None = None) -> None:
        super().__init__(name=name)
        self._pipeline_layers: list[Layer] = layers

    @property
    def layers(self) -> list[Layer]:
        return self._pipeline_layers

    def _convert_leaf(self, leaf: Any) -> Any:
        return leaf

    def call(self, inputs: Any, training: bool = True, mask: Any = None) -> Any:
        for layer in self._pipeline_layers:
            more: dict[str, Any] = {}
            signature = signature_of(type(layer).call)
            if signature.takes_training and training is not None:
                more["training"] = training
            if mask is not None and "mask" in signature.mask_arguments:
                more["mask"] = mask
            inputs = layer(inputs, **more)
            mask = getattr(inputs, "_keras_mask", None)
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {"layers": to_config(self._pipeline_layers), "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        layers = config.get("layers")
        if not isinstance(layers, list | tuple):
            raise ValueError(
                "`Pipeline` config must contain a `layers` key mapping to a list of serialized "
                f"layers. Received config with layers={layers}."
            )
        return cls(**{**config, "layers": [object_from_config(x) for x in layers]})
