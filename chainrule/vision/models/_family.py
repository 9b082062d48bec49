"""Builders of a family of models, and their weights, from rows instead of copies.

    weights.json    {enumeration: {member: {url, preset, options, meta}, "DEFAULT": member}}

`preset` is a class of `transforms._presets`, `options` its arguments; in `meta`, a string under
`categories` or `keypoint_names` is a list of `_meta`.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any, Generic, Optional, TypeVar

from chainrule import nn
from chainrule.vision.models._api import Weights, WeightsEnum, register_model
from chainrule.vision.models._meta import CATEGORIES
from chainrule.vision.models._utils import _ovewrite_named_param, handle_legacy_interface
from chainrule.vision.transforms import InterpolationMode, _presets

M = TypeVar("M", bound=nn.Module)

_ROWS: dict[str, dict[str, Any]] = json.loads(
    resources.files(__package__).joinpath("weights.json").read_text(encoding="utf-8")
)


def weights_of(name: str, module: str) -> Any:
    """The enumeration of weights `name`, as a class of `module` (Any: its members are data)."""
    members = {key: _weights(row) for key, row in _ROWS[name].items() if key != "DEFAULT"}
    members["DEFAULT"] = members[_ROWS[name]["DEFAULT"]]
    functional: Any = WeightsEnum  # called as an enumeration's type, it makes a subclass
    return functional(name, members, module=module)


def _weights(row: dict[str, Any]) -> Weights:
    options, meta = dict(row["options"]), dict(row["meta"])
    if "interpolation" in options:
        options["interpolation"] = InterpolationMode(options["interpolation"])
    preset = getattr(_presets, row["preset"])
    meta["min_size"] = tuple(meta["min_size"])
    for key in ("categories", "keypoint_names"):
        if meta.get(key) is not None:  # weights of features alone know no categories
            meta[key] = CATEGORIES[meta[key]]
    transforms = functools.partial(preset, **options) if options else preset
    return Weights(row["url"], transforms, meta)


class Family(Generic[M]):
    """Makes the weights and the builders of one file of models.

    module: its `__name__`. paper: where the models were described. make: what builds one of them
    from keyword arguments.
    """

    def __init__(self, module: str, paper: str, make: Callable[..., M]) -> None:
        self.module, self.paper, self.make = module, paper, make

    def weights(self, name: str) -> Any:
        """The enumeration of weights `name`."""
        return weights_of(name, self.module)

    def builder(
        self,
        name: str,
        weights: Any,
        title: str,
        *args: Any,
        legacy: str | None = "IMAGENET1K_V1",
        fixed: Mapping[str, Any] | None = None,
        with_weights: Callable[[Any], dict[str, Any]] | None = None,
        **defaults: Any,
    ) -> Callable[..., M]:
        """The function `name(*, weights=None, progress=True, **kwargs)`, registered.

        title: the model's name in words. args, defaults: for `make`; the user's keywords go over
        `defaults`. fixed: arguments that may not be given otherwise. with_weights: from the chosen
        weights, arguments that they fix. legacy: the weights that `pretrained=True` meant.
        """

        def build(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> M:
            chosen = enum.verify(weights)
            settings = dict(fixed or {})
            if chosen is not None:
                if chosen.meta["categories"] is not None:
                    settings["num_classes"] = len(chosen.meta["categories"])
                settings.update(with_weights(chosen) if with_weights else {})
            for key, value in settings.items():
                _ovewrite_named_param(kwargs, key, value)
            model = self.make(*args, **(defaults | kwargs))
            if chosen is not None:
                state = chosen.get_state_dict(progress=progress, check_hash=True)
                model.load_state_dict(state)
            return model

        enum = weights
        meaning = f"{title} of {self.paper}."
        older = None if legacy is None else enum[legacy]
        return publish(build, name, self.module, meaning, enum, weights=("pretrained", older))


def publish(
    build: Callable[..., M],
    name: str,
    module: str,
    meaning: str,
    enum: Any,
    **legacy: tuple[str, Any],
) -> Callable[..., M]:
    """Give a builder its name, its document and its signature, and register it."""
    build.__name__ = build.__qualname__ = name
    build.__module__ = module
    build.__doc__ = (
        f"{meaning}\n\n"
        f"weights: None for initial values, or trained ones: a member of `{enum.__name__}`\n"
        f"({', '.join(enum.__members__)}) or its name. progress: show how far a download is.\n"
        "Other arguments go to the model's class, such as `num_classes`.\n"
    )
    signature = inspect.signature(build)
    kinds = {"weights": Optional[enum], "progress": bool}  # noqa: UP045  a type made at run time
    parameters = [
        p.replace(annotation=kinds.get(p.name, p.annotation)) for p in signature.parameters.values()
    ]
    build.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return register_model()(handle_legacy_interface(**legacy)(build))
