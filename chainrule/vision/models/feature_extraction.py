"""Features from the middle of a model, by the names of its layers.

    a node     the output of a layer in one call: "layer1.0.relu" (the first), "layer1.0.relu_1" …
    a prefix   "layer1" stands for the last node in it: what the whole layer gives

torchvision finds nodes by tracing code symbolically and can also name functions ("flatten",
"add"); here layers are watched while the model runs, so any code works, and functions that are no
layers have no name.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chainrule import nn

__all__ = ["create_feature_extractor", "get_graph_node_names"]


def _node_names(model: nn.Module) -> list[str]:
    """The layers that have no layers below them, in the order of the tree."""
    return [
        name for name, m in model.named_modules() if name and not any(True for _ in m.children())
    ]


def get_graph_node_names(
    model: nn.Module,
    tracer_kwargs: dict[str, Any] | None = None,
    suppress_diff_warning: bool = False,
    concrete_args: dict[str, Any] | None = None,
) -> tuple[list[str], list[str]]:
    """The names that `create_feature_extractor` knows, in training and in evaluation.

    Without an input nothing is run: a layer that is called more than once is named once; its later
    calls are `name_1`, `name_2`, …. The other arguments are accepted for torchvision's sake.

    >>> from chainrule import nn
    >>> get_graph_node_names(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))[0]
    ['0', '1']
    """
    names = _node_names(model)
    return names, list(names)


class _Extractor(nn.Module):
    """Runs `model` and gives what its nodes gave, by their new names."""

    def __init__(self, model: nn.Module, train: dict[str, str], evaluate: dict[str, str]) -> None:
        super().__init__()
        for name, child in model.named_children():  # the names of the state dict are the model's
            self.add_module(name, child)
        self.__dict__["_source"] = model
        self.training = model.training
        self._nodes = {True: train, False: evaluate}

    def train(self, mode: bool = True) -> Any:
        self._source.train(mode)
        return super().train(mode)

    def forward(self, *args: Any, **kwargs: Any) -> OrderedDict[str, Any]:
        nodes = self._nodes[self.training]
        with _watched(self._source, nodes) as seen:
            self._source(*args, **kwargs)
        missing = [node for node in nodes if node not in seen]
        if missing:
            raise ValueError(
                f"node {missing[0]!r} did not run: the layer was not called, or less often. Names "
                "are those of get_graph_node_names, with _1, _2, … for later calls"
            )
        return OrderedDict((new, seen[node]) for node, new in nodes.items())

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__.copy()


def _layer_of(node: str, modules: dict[str, nn.Module]) -> tuple[str, int | None]:
    """The layer of a node and the number of its call; None for the last."""
    if node in modules:
        return node, None if any(True for _ in modules[node].children()) else 0
    head, mark, tail = node.rpartition("_")
    if mark and tail.isdigit() and head in modules:
        return head, int(tail)
    raise ValueError(
        f"node: '{node}' is not present in model. Hint: use `get_graph_node_names` to make sure "
        "the `return_nodes` you specified are present. Functions that are no layers have no name "
        "here: put the function into a layer of its own"
    )


@contextmanager
def _watched(model: nn.Module, nodes: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The outputs of the nodes, filled while the model runs in the block."""
    modules = dict(model.named_modules())
    seen: dict[str, Any] = {}
    handles = []
    for node in nodes:
        layer, wanted = _layer_of(node, modules)
        handles.append(modules[layer].register_forward_hook(_keeper(seen, node, wanted)))
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _keeper(seen: dict[str, Any], node: str, wanted: int | None) -> Any:
    calls = 0

    def keep(module: nn.Module, args: Any, output: Any) -> None:
        nonlocal calls
        if wanted is None or calls == wanted:
            seen[node] = output
        calls += 1

    return keep


def create_feature_extractor(
    model: nn.Module,
    return_nodes: list[str] | dict[str, str] | None = None,
    train_return_nodes: list[str] | dict[str, str] | None = None,
    eval_return_nodes: list[str] | dict[str, str] | None = None,
    tracer_kwargs: dict[str, Any] | None = None,
    suppress_diff_warning: bool = False,
    concrete_args: dict[str, Any] | None = None,
) -> nn.Module:
    """A module that returns the outputs of some nodes of `model`, in an ordered dictionary.

    return_nodes: names, or name → key in the result; or one set for training and one for
    evaluation. The module has the model's parameters under the model's names; what is behind the
    nodes is recorded, not computed. ValueError for a name that is no layer, and for too few or too
    many sets.

    >>> from chainrule import nn, ones
    >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> middle = create_feature_extractor(net, {"1": "hidden"})
    >>> {key: tuple(value.shape) for key, value in middle(ones(4, 2)).items()}
    {'hidden': (4, 3)}
    """
    both = train_return_nodes is not None and eval_return_nodes is not None
    if return_nodes is None and not both:
        raise ValueError(
            "Either `return_nodes` or `train_return_nodes` and `eval_return_nodes` together, "
            "should be specified"
        )
    if (train_return_nodes is None) != (eval_return_nodes is None):
        raise ValueError(
            "If any of `train_return_nodes` and `eval_return_nodes` are specified, then both "
            "should be specified"
        )
    if return_nodes is not None and both:
        raise ValueError(
            "If `train_return_nodes` and `eval_return_nodes` are specified, then both should be "
            "specified without `return_nodes`"
        )
    train = _as_dict(return_nodes if train_return_nodes is None else train_return_nodes)
    evaluate = _as_dict(return_nodes if eval_return_nodes is None else eval_return_nodes)
    modules = dict(model.named_modules())
    for node in (*train, *evaluate):
        _layer_of(node, modules)
    if set(train) != set(evaluate) and not suppress_diff_warning:
        warnings.warn("the nodes in training and in evaluation differ", stacklevel=2)
    return _Extractor(model, train, evaluate)


def _as_dict(nodes: Any) -> dict[str, str]:
    if isinstance(nodes, dict):
        return {str(k): str(v) for k, v in nodes.items()}
    return {str(n): str(n) for n in nodes}
