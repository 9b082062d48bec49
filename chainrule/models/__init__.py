"""The documents' four networks as small modules, and `load` for what `chainrule train` saved."""

from __future__ import annotations

import os
from typing import Any

from chainrule import nn, serialization
from chainrule.errors import DataError
from chainrule.models.dcnn import DCNN
from chainrule.models.mlp import MLP
from chainrule.models.rnn import RNN
from chainrule.models.transformer import Transformer

__all__ = ["MLP", "DCNN", "RNN", "Transformer", "MODELS", "load", "save"]

#: Name → class, as `chainrule train` and saved files spell it.
MODELS: dict[str, type[nn.Module]] = {
    "mlp": MLP,
    "dcnn": DCNN,
    "rnn": RNN,
    "transformer": Transformer,
}


def save(
    model: nn.Module, path: str | os.PathLike[str], *, name: str, arguments: dict[str, Any]
) -> None:
    """Write a network with what builds it: `MODELS[name](**arguments)`. Atomic."""
    serialization.save({"model": name, "arguments": arguments, "state": model.state_dict()}, path)


def load(path: str | os.PathLike[str]) -> nn.Module:
    """The network that `save` (and so `chainrule train`) wrote, in evaluation mode.

    Raises FileNotFoundError, and DataError for a file of another kind.
    """
    content = serialization.load(path)
    if not isinstance(content, dict) or not {"model", "arguments", "state"} <= content.keys():
        raise DataError(
            f"{path} holds no network of `chainrule train`; chainrule.load reads other checkpoints"
        )
    if content["model"] not in MODELS:
        raise DataError(
            f"{path} holds a {content['model']!r}; this version knows {', '.join(MODELS)}"
        )
    model = MODELS[content["model"]](**content["arguments"])
    model.load_state_dict(content["state"])
    return model.eval()
