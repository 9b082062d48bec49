"""Colours and sharpness of samples; masks, boxes and labels stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.vision.draws import draws
from chainrule.vision.transforms.colour import ColorJitter as _Jitter
from chainrule.vision.transforms.v2 import functional as F
from chainrule.vision.transforms.v2.base import RandomTransform, Transform, query_chw

Range = tuple[float, float]


class Grayscale(Transform):
    """Grey, of one channel or three equal ones."""

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.rgb_to_grayscale(inpt, self.num_output_channels)


class RandomGrayscale(RandomTransform):
    """Grey with as many channels as before, with probability p."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"channels": query_chw(flat_inputs)[0]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.rgb_to_grayscale(inpt, params["channels"])


class RGB(Transform):
    """Three channels where there was one."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.grayscale_to_rgb(inpt)


class ColorJitter(Transform):
    """Brightness, contrast, saturation and hue changed by chance; arguments as in v1."""

    get_params = staticmethod(_Jitter.get_params)

    def __init__(
        self,
        brightness: float | Sequence[float] | None = None,
        contrast: float | Sequence[float] | None = None,
        saturation: float | Sequence[float] | None = None,
        hue: float | Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        given = (brightness, contrast, saturation, hue)
        checked = _Jitter(*(0 if value is None else value for value in given))  # type: ignore[arg-type]
        self.brightness = checked.brightness
        self.contrast = checked.contrast
        self.saturation = checked.saturation
        self.hue = checked.hue

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        return {"order": order.tolist(), "factors": factors}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        steps = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for number in params["order"]:
            factor = params["factors"][number]
            if factor is not None:
                inpt = steps[number](inpt, factor)
        return inpt


class RandomChannelPermutation(Transform):
    """The channels in random order."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"permutation": draws().permutation(query_chw(flat_inputs)[0])}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.permute_channels(inpt, params["permutation"])


class RandomPhotometricDistort(Transform):
    """Each of brightness, contrast, saturation, hue and the order of channels changed with
    probability p (W. Liu et al., SSD, 2016).
    """

    def __init__(
        self,
        brightness: Range = (0.875, 1.125),
        contrast: Range = (0.5, 1.5),
        saturation: Range = (0.5, 1.5),
        hue: Range = (-0.05, 0.05),
        p: float = 0.5,
    ) -> None:
        super().__init__()
        self.brightness = brightness
        self.contrast = contrast
        self.hue = hue
        self.saturation = saturation
        self.p = p

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        channels, chance = query_chw(flat_inputs)[0], draws()
        factors = [
            chance.uniform(*given) if chance.share() < self.p else None
            for given in (self.brightness, self.contrast, self.saturation, self.hue)
        ]
        before = chance.share() < 0.5
        order = chance.permutation(channels) if chance.share() < self.p else None
        return {"factors": factors, "before": before, "order": order}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        brightness, contrast, saturation, hue = params["factors"]
        if brightness is not None:
            inpt = F.adjust_brightness(inpt, brightness)
        if contrast is not None and params["before"]:
            inpt = F.adjust_contrast(inpt, contrast)
        if saturation is not None:
            inpt = F.adjust_saturation(inpt, saturation)
        if hue is not None:
            inpt = F.adjust_hue(inpt, hue)
        if contrast is not None and not params["before"]:
            inpt = F.adjust_contrast(inpt, contrast)
        return inpt if params["order"] is None else F.permute_channels(inpt, params["order"])


class RandomEqualize(RandomTransform):
    """As many pixels of one brightness as of another, with probability p."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.equalize(inpt)


class RandomInvert(RandomTransform):
    """Inverted, with probability p."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.invert(inpt)


class RandomPosterize(RandomTransform):
    """Only the upper `bits` bits, with probability p."""

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.posterize(inpt, self.bits)


class RandomSolarize(RandomTransform):
    """Inverted from `threshold` on, with probability p."""

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.solarize(inpt, self.threshold)


class RandomAutocontrast(RandomTransform):
    """Each channel from black to white, with probability p."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.autocontrast(inpt)


class RandomAdjustSharpness(RandomTransform):
    """Sharper, with probability p."""

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.adjust_sharpness(inpt, self.sharpness_factor)
