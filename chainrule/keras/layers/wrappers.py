"""Layers around layers: at every step, and in both directions."""

from __future__ import annotations

from typing import Any

from chainrule.errors import ShapeError
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.recurrent import RNN
from chainrule.keras.layers.signatures import signature_of
from chainrule.keras.registry import known
from chainrule.tensor import Tensor
from chainrule.tensor import functions as T


@known
class Wrapper(Layer):
    """A layer that holds another one, as `self.layer`."""

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        if not isinstance(layer, Layer):
            raise ValueError(f"{type(self).__name__} wraps a layer, got {layer!r}")
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)
            self.layer.built = True
        self.built = True


@known
class TimeDistributed(Wrapper):
    """The same layer at every step: (batch, steps, …) as (batch·steps, …)."""

    supports_masking = True

    def build(self, input_shape: Any = None) -> None:
        if input_shape is None or len(input_shape) < 3:
            raise ShapeError(
                f"layer {self.name!r} (TimeDistributed) takes inputs of shape (batch, steps, …) "
                f"with at least 3 dimensions, got {input_shape}"
            )
        super().build((input_shape[0], *input_shape[2:]))

    def call(self, inputs: Tensor, training: bool = False, mask: Any = None) -> Tensor:
        batch, steps = int(inputs.shape[0]), int(inputs.shape[1])
        x = inputs.reshape(batch * steps, *inputs.shape[2:])
        takes_training = signature_of(type(self.layer).call).takes_training
        out = self.layer(x, **({"training": training} if takes_training else {}))
        return out.reshape(batch, steps, *out.shape[1:])


@known
class Bidirectional(Layer):
    """A recurrent layer forwards, its twin backwards, and their outputs merged."""

    supports_masking = True
    casts_integers = True

    def __init__(
        self,
        layer: RNN,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: RNN | None = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(layer, Layer) or not hasattr(layer, "go_backwards"):
            raise ValueError(f"Bidirectional wraps a recurrent layer, got {layer!r}")
        if merge_mode not in ("sum", "mul", "ave", "concat", None):
            raise ValueError(
                f"merge_mode must be 'sum', 'mul', 'ave', 'concat' or None, got {merge_mode!r}"
            )
        if layer._given_batch_shape is not None:
            kwargs.setdefault("batch_shape", layer._given_batch_shape)
        super().__init__(**kwargs)
        self.merge_mode = merge_mode
        config = layer.get_config()
        config.pop("batch_shape", None)
        self.forward_layer = type(layer).from_config(config | {"name": f"forward_{layer.name}"})
        if backward_layer is None:
            backward = config | {
                "name": f"backward_{layer.name}",
                "go_backwards": not layer.go_backwards,
            }
            self.backward_layer = type(layer).from_config(backward)
            self._backward_given = False
        else:
            self.backward_layer = backward_layer
            self._backward_given = True
        if self.backward_layer.go_backwards == self.forward_layer.go_backwards:
            raise ValueError("the two layers of Bidirectional must run in opposite directions")
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.stateful = layer.stateful
        if weights is not None:
            self._initial_weights = weights

    def build(self, sequences_shape: Any) -> None:
        for layer in (self.forward_layer, self.backward_layer):
            if not layer.built:
                layer.build(sequences_shape)
                layer.built = True
        self.built = True

    def compute_output_shape(self, sequences_shape: Any) -> Any:
        shape = self.forward_layer.compute_output_shape(sequences_shape)
        output, states = (shape[0], shape[1:]) if self.return_state else (shape, [])
        if self.merge_mode == "concat":
            merged: Any = (*output[:-1], 2 * output[-1])
        else:
            merged = output
        outputs = [output, output] if self.merge_mode is None else [merged]
        both = [*outputs, *states, *states]
        return both if len(both) > 1 else both[0]

    def call(
        self,
        sequences: Tensor,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> Any:
        first = second = None
        if initial_state is not None:
            half = len(initial_state) // 2
            first, second = initial_state[:half], initial_state[half:]
        ahead = self.forward_layer(sequences, initial_state=first, mask=mask, training=training)
        behind = self.backward_layer(sequences, initial_state=second, mask=mask, training=training)
        states: list[Tensor] = []
        if self.return_state:
            states = [*ahead[1:], *behind[1:]]
            ahead, behind = ahead[0], behind[0]
        if self.return_sequences:  # the backward layer's first output belongs to the last step
            behind = T.flip(behind, (1,))
        merged = self._merge(ahead, behind)
        if self.return_state:
            return (*(merged if self.merge_mode is None else (merged,)), *states)
        return merged

    def _merge(self, ahead: Tensor, behind: Tensor) -> Any:
        if self.merge_mode == "concat":
            return T.cat((ahead, behind), -1)
        if self.merge_mode == "sum":
            return ahead + behind
        if self.merge_mode == "ave":
            return (ahead + behind) / 2
        if self.merge_mode == "mul":
            return ahead * behind
        return ahead, behind

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return previous_mask if self.return_sequences else None

    def reset_states(self) -> None:
        self.forward_layer.reset_states()
        self.backward_layer.reset_states()

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        forward = self.forward_layer.get_config()
        forward["name"] = forward["name"].removeprefix("forward_")
        config["layer"] = {"class_name": type(self.forward_layer).__name__, "config": forward}
        if self._backward_given:
            config["backward_layer"] = {
                "class_name": type(self.backward_layer).__name__,
                "config": self.backward_layer.get_config(),
            }
        return config
