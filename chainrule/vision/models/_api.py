"""Models by name, and the pretrained weights that exist for them."""

from __future__ import annotations

import fnmatch
import importlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from types import ModuleType
from typing import Any, TypeVar, get_args

from chainrule import nn
from chainrule.vision._internally_replaced_utils import load_state_dict_from_url

__all__ = [
    "WeightsEnum",
    "Weights",
    "get_model",
    "get_model_builder",
    "get_model_weights",
    "get_weight",
    "list_models",
]

M = TypeVar("M", bound=nn.Module)


@dataclass
class Weights:
    """Trained weights of a model.

    url: the file. transforms: makes the preprocessing that the weights expect. meta: what is known
    of them (`categories`, `num_params`, `min_size`, `recipe`, `_metrics`, …).
    """

    url: str
    transforms: Callable[..., Any]
    meta: dict[str, Any]

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, Weights):
            return NotImplemented
        mine, its = _parts(self.transforms), _parts(other.transforms)
        return self.url == other.url and self.meta == other.meta and mine == its


def _parts(function: Any) -> Any:
    """A partial as its parts: two equal partials are not equal to Python, and a copy of an
    enumeration's member is looked up by equality."""
    if isinstance(function, partial):
        return function.func, function.args, function.keywords
    return function


class WeightsEnum(Enum):
    """The weights of one model: members are `Weights`, the best of them also called `DEFAULT`."""

    @classmethod
    def verify(cls, obj: Any) -> Any:
        """The member that `obj` is or names (`"DEFAULT"`, `"ResNet18_Weights.DEFAULT"`), or None.

        Raises KeyError for an unknown name, TypeError for anything else.
        """
        if obj is None or isinstance(obj, cls):
            return obj
        if type(obj) is str:
            return cls[obj.replace(cls.__name__ + ".", "")]
        raise TypeError(
            f"Invalid Weight class provided; expected {cls.__name__} but received "
            f"{obj.__class__.__name__}."
        )

    def get_state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The tensors, downloaded if need be: the arguments after the address of
        `chainrule.hub.load_state_dict_from_url`."""
        return load_state_dict_from_url(self.url, *args, **kwargs)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}.{self._name_}"

    @property
    def url(self) -> str:
        """The address of the file."""
        return self.value.url

    @property
    def transforms(self) -> Callable[..., Any]:
        """Call it for the preprocessing that the weights expect."""
        return self.value.transforms

    @property
    def meta(self) -> dict[str, Any]:
        """What is known of the weights."""
        return self.value.meta


#: Name → builder, of every model.
BUILTIN_MODELS: dict[str, Callable[..., nn.Module]] = {}


def register_model(name: str | None = None) -> Callable[[Callable[..., M]], Callable[..., M]]:
    """Decorate a builder so that `get_model` finds it, by `name` or the function's own."""

    def wrapper(fn: Callable[..., M]) -> Callable[..., M]:
        key = name if name is not None else fn.__name__
        if key in BUILTIN_MODELS:
            raise ValueError(f"An entry is already registered under the name '{key}'.")
        BUILTIN_MODELS[key] = fn
        return fn

    return wrapper


def list_models(
    module: ModuleType | None = None,
    include: Iterable[str] | str | None = None,
    exclude: Iterable[str] | str | None = None,
) -> list[str]:
    """The names of the models, sorted.

    module: only those of this package. include, exclude: shell patterns (one or several) of names
    to take and to leave out.

    >>> from chainrule.vision import models
    >>> models.list_models(include=["vgg1*"], exclude="*_bn")
    ['vgg11', 'vgg13', 'vgg16', 'vgg19']
    """
    names = {
        name
        for name, builder in BUILTIN_MODELS.items()
        if module is None or builder.__module__.rpartition(".")[0] == module.__name__
    }
    if include:
        names = _matching(names, include)
    if exclude:
        names -= _matching(names, exclude)
    return sorted(names)


def _matching(names: set[str], patterns: Iterable[str] | str) -> set[str]:
    several = [patterns] if isinstance(patterns, str) else patterns
    return {name for pattern in several for name in fnmatch.filter(names, pattern)}


def get_model_builder(name: str) -> Callable[..., nn.Module]:
    """The function that builds the model of that name; ValueError where there is none."""
    try:
        return BUILTIN_MODELS[name.lower()]
    except KeyError:
        raise ValueError(f"Unknown model {name.lower()}") from None


def get_model(name: str, **config: Any) -> nn.Module:
    """The model of that name, built with the given arguments.

    >>> from chainrule.vision import models
    >>> models.get_model("squeezenet1_1", weights=None, num_classes=10).num_classes
    10
    """
    return get_model_builder(name)(**config)


def get_weight(name: str) -> WeightsEnum:
    """Weights by their full name, such as `"ResNet50_Weights.IMAGENET1K_V1"`."""
    enum_name, dot, member = name.partition(".")
    if not dot or "." in member:
        raise ValueError(f"Invalid weight name provided: '{name}'.")
    package = importlib.import_module(__name__.rpartition(".")[0])
    rooms = [v for _, v in inspect.getmembers(package, inspect.ismodule) if hasattr(v, "__path__")]
    for place in (package, *rooms):
        found = vars(place).get(enum_name)
        if isinstance(found, type) and issubclass(found, WeightsEnum):
            return found[member]
    raise ValueError(
        f"The weight enum '{enum_name}' for the specific method couldn't be retrieved."
    )


def get_model_weights(name: Callable[..., nn.Module] | str) -> type[WeightsEnum]:
    """The enumeration of the weights of a model, given by its name or its builder.

    >>> from chainrule.vision import models
    >>> list(models.get_model_weights("resnet50"))
    [ResNet50_Weights.IMAGENET1K_V1, ResNet50_Weights.IMAGENET1K_V2]
    """
    return _get_enum_from_fn(get_model_builder(name) if isinstance(name, str) else name)


def _get_enum_from_fn(fn: Callable[..., nn.Module]) -> type[WeightsEnum]:
    """The enumeration in the annotation of the parameter `weights`."""
    parameters = inspect.signature(fn).parameters
    if "weights" not in parameters:
        raise ValueError("The method is missing the 'weights' argument.")
    annotation = parameters["weights"].annotation
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, WeightsEnum):
            return kind
    raise ValueError(
        "The WeightsEnum class for the specific method couldn't be retrieved. Make sure the typing "
        "info is correct."
    )
