"""What the model files share: features from the middle, channel rounding, older arguments."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from chainrule import nn
from chainrule.tensor import Tensor
from chainrule.vision._utils import sequence_to_str
from chainrule.vision.models._api import WeightsEnum

D = TypeVar("D")
V = TypeVar("V")


class IntermediateLayerGetter(nn.ModuleDict):
    """Runs the children of `model` in order and returns what some of them gave.

    return_layers: name of a child → name in the result (an OrderedDict). Children after the last
    of these are left out. ValueError for a name that is no child.

    >>> from chainrule import nn, ones
    >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4))
    >>> list(IntermediateLayerGetter(net, {"1": "middle"})(ones(1, 2)).items())[0][1].shape
    torch.Size([1, 3])
    """

    _version = 2

    def __init__(self, model: nn.Module, return_layers: dict[str, str]) -> None:
        children = dict(model.named_children())
        if not set(return_layers).issubset(children):
            raise ValueError("return_layers are not present in model")
        waiting = {str(name) for name in return_layers}
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for name, module in children.items():
            layers[name] = module
            waiting.discard(name)
            if not waiting:
                break
        super().__init__(layers)
        self.return_layers = return_layers

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        out: OrderedDict[str, Tensor] = OrderedDict()
        for name, module in self.items():
            x = module(x)
            if name in self.return_layers:
                out[self.return_layers[name]] = x
        return out


def _make_divisible(v: float, divisor: int, min_value: int | None = None) -> int:
    """The multiple of `divisor` nearest to `v`, at least `min_value`, and not below 0.9 v.

    >>> _make_divisible(32 * 0.75, 8), _make_divisible(10, 8)
    (24, 16)
    """
    least = divisor if min_value is None else min_value
    rounded = max(least, int(v + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * v else rounded


def kwonly_to_pos_or_kw(fn: Callable[..., D]) -> Callable[..., D]:
    """Let keyword-only parameters of `fn` also be given by position, with a warning."""
    names = list(inspect.signature(fn).parameters.values())
    keyword_only = [p.name for p in names if p.kind is p.KEYWORD_ONLY]
    positional = sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in names)

    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> D:
        late = dict(zip(keyword_only, args[positional:], strict=False))
        if late:
            warnings.warn(
                f"Using {sequence_to_str(tuple(late), separate_last='and ')} as positional "
                "parameter(s) is deprecated since 0.13 and may be removed in the future. Please "
                "use keyword parameter(s) instead.",
                stacklevel=2,
            )
            kwargs.update(late)
        return fn(*args[:positional], **kwargs)

    return wrapper


def handle_legacy_interface(
    **weights: tuple[str, Any],
) -> Callable[[Callable[..., D]], Callable[..., D]]:
    """Let a builder with `weights=` also take the older `pretrained=`.

    Of each parameter: its older name, and the weights that True stood for (or a function from the
    keyword arguments to them). Older forms work and warn.
    """

    def outer_wrapper(builder: Callable[..., D]) -> Callable[..., D]:
        @kwonly_to_pos_or_kw
        @functools.wraps(builder)
        def inner_wrapper(*args: Any, **kwargs: Any) -> D:
            for parameter, (older, default) in weights.items():
                _modernise(builder.__name__, kwargs, parameter, older, default)
            return builder(*args, **kwargs)

        return inner_wrapper

    return outer_wrapper


def _modernise(name: str, kwargs: dict[str, Any], parameter: str, older: str, default: Any) -> None:
    """Replace `older=True` (or `parameter=True`) in `kwargs` by `parameter=` the weights meant."""
    if parameter in kwargs:
        given = kwargs[parameter]
        named = isinstance(given, str) and given != "legacy"
        if given is None or named or isinstance(given, WeightsEnum):
            return
        # True by position, under the name that now stands there; `default` may ask for the older
        kwargs[older] = wanted = kwargs.pop(parameter)
    elif older in kwargs:
        wanted = kwargs[older]
        warnings.warn(
            f"The parameter '{older}' is deprecated since 0.13 and may be removed in the future, "
            f"please use '{parameter}' instead.",
            stacklevel=5,
        )
    else:
        return
    meant = None
    if wanted:
        meant = default(kwargs) if callable(default) else default
        if not isinstance(meant, WeightsEnum):
            raise ValueError(f"No weights available for model {name}")
    text = (
        f"Arguments other than a weight enum or `None` for '{parameter}' are deprecated since 0.13 "
        f"and may be removed in the future. The current behavior is equivalent to passing "
        f"`{parameter}={meant}`."
    )
    if meant is not None:
        best = f"{parameter}={type(meant).__name__}.DEFAULT"
        text += f" You can also use `{best}` to get the most up-to-date weights."
    warnings.warn(text, stacklevel=5)
    del kwargs[older]
    kwargs[parameter] = meant


def _ovewrite_named_param(kwargs: dict[str, Any], param: str, new_value: Any) -> None:
    """Set `kwargs[param]`; ValueError where it holds something else."""
    if kwargs.setdefault(param, new_value) != new_value:
        raise ValueError(
            f"The parameter '{param}' expected value {new_value} but got {kwargs[param]} instead."
        )


def _ovewrite_value_param(param: str, actual: V | None, expected: V) -> V:
    """`expected`; ValueError where `actual` is something else."""
    if actual is not None and actual != expected:
        raise ValueError(
            f"The parameter '{param}' expected value {expected} but got {actual} instead."
        )
    return expected


class _ModelURLs(dict[str, str]):
    """The `model_urls` of older model files: addresses by name, with a warning."""

    def __getitem__(self, item: str) -> str:
        warnings.warn(
            "Accessing the model URLs via the internal dictionary of the module is deprecated "
            "since 0.13 and may be removed in the future. Please access them via the appropriate "
            "Weights Enum instead.",
            stacklevel=2,
        )
        return super().__getitem__(item)
