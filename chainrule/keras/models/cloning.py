"""clone_model: a model of the same architecture with weights of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.keras import tree
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.core import Input, InputLayer
from chainrule.keras.models.model import Functional, Model
from chainrule.keras.models.sequential import Sequential
from chainrule.keras.registry import CustomObjectScope, to_config
from chainrule.keras.symbolic import KerasTensor, Operation, fill


def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: Callable[[Layer], Layer] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Any:
    """A model of the same architecture with weights of its own.

    Args:
        model: a functional, sequential or subclassed model.
        input_tensors: symbolic tensors to build the copy upon (not for subclassed models).
        clone_function: makes the copy of a layer; by default, from its config.
        call_function: `(layer, *args, **kwargs)`, calls a copied layer; for functional models.
        recursive: copy the layers of models inside with the same functions.

    Raises ValueError for arguments that do not go with the model.
    """
    cache = kwargs.pop("cache", None)
    if kwargs:
        raise ValueError(f"Unexpected keyword argument(s): {tuple(kwargs)}")
    if isinstance(model, Sequential):
        if call_function is not None:
            raise ValueError(
                "`call_function` argument is not supported with Sequential models. In a Sequential "
                "model, layers aren't called at model-construction time (they're merely listed). "
                "Use `call_function` with Functional models only. Received model of type "
                f"'{type(model).__name__}', with call_function={call_function}"
            )
        return _clone_stack(model, input_tensors, _Copies(clone_function, None, recursive, cache))
    if model.graph is not None and (isinstance(model, Functional) or clone_function is not None):
        copies = _Copies(clone_function, call_function, recursive, cache)
        return _clone_graph(model, input_tensors, copies)
    if clone_function is not None or input_tensors is not None:
        raise ValueError(
            "Arguments `clone_function` and `input_tensors` are only supported for Sequential "
            f"models or Functional models. Received model of type '{type(model).__name__}'"
        )
    if call_function is not None:
        raise ValueError(
            "Argument `call_function` is only supported for Functional models. Received model of "
            f"type '{type(model).__name__}'"
        )
    with CustomObjectScope({type(model).__name__: type(model)}):
        return type(model).from_config(to_config(model.get_config()))


def _from_config(layer: Layer) -> Any:
    return type(layer).from_config(layer.get_config())


class _Copies:
    """The copy of each layer, made once."""

    def __init__(self, clone: Any, call: Any, recursive: bool, made: Any) -> None:
        self.clone = clone or _from_config
        self.call = call or (lambda layer, *args, **kwargs: layer(*args, **kwargs))
        self.given = call
        self.recursive = recursive
        self.made: dict[int, Any] = {} if made is None else made

    def of(self, layer: Operation) -> Any:
        if id(layer) not in self.made:
            if self.recursive and isinstance(layer, Model) and self._goes_into(layer):
                self.made[id(layer)] = clone_model(
                    layer, None, self.clone, self.given if layer.graph is not None
                    and not layer.is_sequential else None, recursive=True, cache=self.made,
                )  # fmt: skip
            else:
                self.made[id(layer)] = self.clone(layer)  # type: ignore[arg-type]  # a layer
        return self.made[id(layer)]

    def _goes_into(self, model: Model) -> bool:
        return isinstance(model, Sequential) or model.graph is not None


def _clone_stack(model: Sequential, input_tensors: Any, copies: _Copies) -> Sequential:
    layers = [copies.of(layer) for layer in model.layers]
    start: Any = None
    if input_tensors is not None:
        flat = tree.flatten(input_tensors)
        if len(flat) != 1:
            raise ValueError(
                "Argument `input_tensors` must contain a single tensor. Received: "
                f"input_tensors={input_tensors}"
            )
        start = flat[0]
        if not isinstance(start, KerasTensor):
            raise ValueError(
                f"Argument `input_tensors` must be a KerasTensor. Received: {input_tensors}"
            )
        layers = [Input(batch_shape=start.shape, dtype=start.dtype, name=start.name), *layers]
    elif model._stack and isinstance(model._stack[0], InputLayer):
        first = model._stack[0]
        layers = [
            InputLayer(batch_shape=first.batch_shape, dtype=first.dtype, name=first.name), *layers
        ]  # fmt: skip
    made = Sequential(layers, name=model.name, trainable=model.trainable)
    _compile_as(model, made)
    return made


def _clone_graph(model: Model, input_tensors: Any, copies: _Copies) -> Any:
    graph = model.graph
    assert graph is not None
    if input_tensors is None:
        inputs = tree.map_structure(
            lambda t: Input(batch_shape=t.shape, dtype=t.dtype, name=t.name), graph.inputs
        )
    else:
        flat = tree.flatten(input_tensors)
        if not all(isinstance(t, KerasTensor) for t in flat):
            raise ValueError(
                "All entries in `input_tensors` must be KerasTensors. Received invalid values: "
                f"inputs_tensors={input_tensors}"
            )
        try:
            tree.assert_same_structure(input_tensors, graph.inputs)
        except ValueError as error:
            if tree.is_nested(graph.inputs) or len(flat) != 1:
                raise ValueError(
                    "`input_tensors` must have the same structure as model.input\nReceived: "
                    f"{input_tensors}\nExpected: {graph.inputs}"
                ) from error
            input_tensors = flat[0]
        inputs = input_tensors
    values = {
        id(old): new for old, new in zip(graph.flat_inputs, tree.flatten(inputs), strict=True)
    }
    for node in graph.nodes:
        args, named = fill((node.args, node.kwargs), values)
        operation = node.operation
        if isinstance(operation, Layer):
            outputs = copies.call(copies.of(operation), *args, **named)
        else:
            outputs = _again(operation, args, named)
        for old, new in zip(tree.flatten(node.outputs), tree.flatten(outputs), strict=True):
            values[id(old)] = new
    cls: Any = type(model) if isinstance(model, Functional) else Functional
    made = cls(inputs, fill(graph.outputs, values), name=model.name)
    if not model.trainable:
        made.trainable = False
    _compile_as(model, made)
    return made


def _again(operation: Any, args: Any, kwargs: Any) -> Any:
    """A function once more, as an operation of its own."""
    made = type(operation)(operation.function) if hasattr(operation, "function") else operation
    made.name = operation.name
    return made(*args, **kwargs)


def _compile_as(model: Model, made: Any) -> None:
    if model.compiled:
        made.compile_from_config(model.get_compile_config())
