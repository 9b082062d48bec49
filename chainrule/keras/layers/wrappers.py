"""Layers around layers: at every step, and in both directions."""

from __future__ import annotations

from typing import Any

from chainrule.keras.errors import ShapeError
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.signatures import signature_of
from chainrule.keras.registry import from_config as object_from_config
from chainrule.keras.registry import known, to_config
from chainrule.keras.settings import to_dtype
from chainrule.tensor import Tensor
from chainrule.tensor import functions as T


@known
class Wrapper(Layer):
    """A layer that holds another one, as `self.layer`."""

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Layer {layer} supplied to Wrapper isn't a supported layer type. Please ensure "
                "wrapped layer is a valid Keras layer."
            )
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)
            self.layer.built = True
        self.built = True

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"layer": to_config(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        return cls(object_from_config(config.pop("layer")), **config)


@known
class TimeDistributed(Wrapper):
    """The same layer at every step: (batch, steps, …) as (batch·steps, …)."""

    supports_masking = True

    @staticmethod
    def _inner_shape(input_shape: Any) -> tuple[Any, ...]:
        if not isinstance(input_shape, list | tuple) or len(input_shape) < 3:
            raise ShapeError(
                "`TimeDistributed` Layer should be passed an `input_shape` with at least 3 "
                f"dimensions (batch, steps, …), received: {input_shape}"
            )
        return (input_shape[0], *input_shape[2:])

    def build(self, input_shape: Any = None) -> None:
        super().build(self._inner_shape(input_shape))

    def compute_output_shape(self, input_shape: Any) -> Any:
        inner = self.layer.compute_output_shape(self._inner_shape(input_shape))
        return (inner[0], input_shape[1], *inner[1:])

    def call(self, inputs: Tensor, training: bool | None = None, mask: Any = None) -> Tensor:
        batch, steps = int(inputs.shape[0]), int(inputs.shape[1])
        if mask is not None and (mask.ndim < 2 or tuple(mask.shape[:2]) != (batch, steps)):
            raise ValueError(
                f"The `mask` passed to the `TimeDistributed` layer has a shape {tuple(mask.shape)} "
                f"that is incompatible with the input shape {tuple(inputs.shape)}: it must be at "
                f"least 2D and begin with (batch, steps) = {(batch, steps)}"
            )
        more: dict[str, Any] = {}
        signature = signature_of(type(self.layer).call)
        if signature.takes_training:
            more["training"] = training
        if mask is not None and "mask" in signature.mask_arguments:
            more["mask"] = mask.reshape(batch * steps, *mask.shape[2:])
        out = self.layer(inputs.reshape(batch * steps, *inputs.shape[2:]), **more)
        return _cast(out.reshape(batch, steps, *out.shape[1:]), self.compute_dtype)


@known
class Bidirectional(Layer):
    """A recurrent layer forwards, its twin backwards, and their outputs merged.

    Outputs at masked steps are zeros, whatever the layers would do alone.
    """

    supports_masking = True
    casts_integers = True

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:
        for name, given in {"layer": layer, "backward_layer": backward_layer}.items():
            if given is None and name == "backward_layer":
                continue
            if not isinstance(given, Layer) or not hasattr(given, "go_backwards"):
                raise ValueError(
                    f"Bidirectional wraps recurrent layers: {name} must be a `keras.layers.Layer` "
                    f"instance that runs over steps. Received: {given!r}"
                )
        if merge_mode not in ("sum", "mul", "ave", "concat", None):
            raise ValueError(
                f"Invalid merge mode {merge_mode!r}: it must be 'sum', 'mul', 'ave', 'concat' or "
                "None"
            )
        if layer._given_batch_shape is not None:
            kwargs.setdefault("batch_shape", layer._given_batch_shape)
        super().__init__(**kwargs)
        self.merge_mode = merge_mode
        self.forward_layer: Any = _twin(layer, "forward_")
        self.backward_layer: Any = backward_layer
        if backward_layer is None:
            self.backward_layer = _twin(layer, "backward_", go_backwards=not layer.go_backwards)
        self._check_pair()
        for one in (self.forward_layer, self.backward_layer):
            if hasattr(one, "zero_output_for_mask"):
                one.zero_output_for_mask = one.return_sequences
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.stateful = layer.stateful
        self._first_weights = weights

    def _check_pair(self) -> None:
        ahead, behind = self.forward_layer, self.backward_layer
        if ahead.go_backwards == behind.go_backwards:
            raise ValueError(
                "Forward layer and backward layer should have different `go_backwards` value. "
                f"Received: {ahead.go_backwards} for both"
            )
        for name in ("stateful", "return_sequences", "return_state"):
            a, b = getattr(ahead, name), getattr(behind, name)
            if a != b:
                raise ValueError(
                    "Forward layer and backward layer are expected to have the same value for "
                    f'attribute "{name}", got "{a}" for forward layer and "{b}" for backward layer'
                )

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        for layer in (self.forward_layer, self.backward_layer):
            if not layer.built:
                layer.build(sequences_shape)
                layer.built = True
        self.built = True
        if self._first_weights is not None:
            self.set_weights(self._first_weights)

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        shape = self.forward_layer.compute_output_shape(sequences_shape)
        output, states = (shape[0], tuple(shape[1:])) if self.return_state else (shape, ())
        if self.merge_mode is None:
            return output, output, *states, *states
        if self.merge_mode == "concat":
            output = (*output[:-1], 2 * output[-1])
        return (output, *states, *states) if self.return_state else tuple(output)

    def call(
        self,
        sequences: Tensor,
        initial_state: Any = None,
        mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        first = second = None
        if initial_state is not None:
            half = len(initial_state) // 2
            first, second = initial_state[:half], initial_state[half:]
        ahead = self._one_way(self.forward_layer, sequences, first, mask, training)
        behind = self._one_way(self.backward_layer, sequences, second, mask, training)
        states: tuple[Tensor, ...] = ()
        if self.return_state:
            states = (*ahead[1:], *behind[1:])
            ahead, behind = ahead[0], behind[0]
        ahead, behind = (_cast(y, self.compute_dtype) for y in (ahead, behind))
        if self.return_sequences:  # the backward layer's first output belongs to the last step
            behind = T.flip(behind, (1,))
        merged = self._merge(ahead, behind)
        if self.return_state:
            return (*(merged if self.merge_mode is None else (merged,)), *states)
        return merged

    @staticmethod
    def _one_way(layer: Any, sequences: Tensor, states: Any, mask: Any, training: Any) -> Any:
        signature = signature_of(type(layer).call)
        more: dict[str, Any] = {}
        if states is not None:
            more["initial_state"] = states
        if signature.takes_training:
            more["training"] = training
        if "mask" in signature.mask_arguments:
            more["mask"] = mask
        return layer(sequences, **more)

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
        mask = previous_mask[0] if isinstance(previous_mask, list | tuple) else previous_mask
        if not self.return_sequences:
            mask = None
        masks: tuple[Any, ...] = (mask,) if self.merge_mode is not None else (mask, mask)
        if self.return_state:
            count = len(self.forward_layer.state_size) + len(self.backward_layer.state_size)
            return (*masks, *(None,) * count)
        return masks[0] if self.merge_mode is not None else masks

    @property
    def states(self) -> Any:
        """The states of both layers, if they are stateful and were called."""
        ahead, behind = self.forward_layer.states, self.backward_layer.states
        return (*ahead, *behind) if ahead and behind else None

    def reset_state(self) -> None:
        """Forget the states that stateful layers carry from call to call."""
        if not self.stateful:
            raise AttributeError(f"layer {self.name!r} must be stateful to have a state to reset")
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config["layer"] = to_config(self.forward_layer)
        config["backward_layer"] = to_config(self.backward_layer)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        for name in ("layer", "backward_layer"):
            if config.get(name) is not None:
                config[name] = object_from_config(config[name])
        return cls(**config)


def _cast(x: Tensor, dtype: str) -> Tensor:
    """The outputs of an inner layer in the type of the outer one."""
    return x.to(to_dtype(dtype)) if x.dtype.is_floating_point else x


def _twin(layer: Any, prefix: str, **changes: Any) -> Any:
    """A layer with the same arguments and a name that says which way it runs."""
    config = layer.get_config()
    config.pop("batch_shape", None)
    name = f"{prefix}{layer.name.removeprefix(prefix)}"
    twin = type(layer).from_config(config | {"name": name} | changes)
    if hasattr(layer, "use_cudnn"):
        twin.use_cudnn = layer.use_cudnn
    return twin
