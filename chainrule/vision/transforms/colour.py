"""Data augmentation of colours and sharpness."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

from chainrule.tensor import Tensor
from chainrule.tensor.creation import tensor
from chainrule.vision.draws import draws
from chainrule.vision.transforms import functional as F
from chainrule.vision.transforms.base import Chance, TransformModule, uniform

Range = tuple[float, float] | None


class ColorJitter(TransformModule):
    """Brightness, contrast, saturation and hue changed by chance, in an order drawn by chance.

    Each is a pair (least, most), or one number x ≥ 0 for (max(0, 1 - x), 1 + x); hue is at most
    0.5, and one number x means (-x, x).
    """

    def __init__(
        self,
        brightness: float | tuple[float, float] = 0,
        contrast: float | tuple[float, float] = 0,
        saturation: float | tuple[float, float] = 0,
        hue: float | tuple[float, float] = 0,
    ) -> None:
        super().__init__()
        self.brightness = _range(brightness, "brightness")
        self.contrast = _range(contrast, "contrast")
        self.saturation = _range(saturation, "saturation")
        self.hue = _range(hue, "hue", middle=0, bounds=(-0.5, 0.5))

    @staticmethod
    def get_params(
        brightness: Sequence[float] | None,
        contrast: Sequence[float] | None,
        saturation: Sequence[float] | None,
        hue: Sequence[float] | None,
    ) -> tuple[Tensor, float | None, float | None, float | None, float | None]:
        """(the order of the four, brightness, contrast, saturation, hue)."""
        order = draws().permutation(4)
        factors = (
            None if given is None else uniform(given[0], given[1])
            for given in (brightness, contrast, saturation, hue)
        )
        b, c, s, h = factors
        return tensor(order), b, c, s, h

    def forward(self, img: Any) -> Any:
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        steps = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for number in order.tolist():
            factor = factors[number]
            if factor is not None:
                img = steps[number](img, factor)
        return img

    def extra_repr(self) -> str:
        return (
            f"brightness={self.brightness}, contrast={self.contrast}, "
            f"saturation={self.saturation}, hue={self.hue}"
        )


def _range(
    given: Any, name: str, middle: float = 1, bounds: tuple[float, float] = (0, float("inf"))
) -> Range:
    """The least and the most of a factor; None where it is always `middle`."""
    if isinstance(given, numbers.Number):
        if given < 0:  # type: ignore[operator]  # a real number
            raise ValueError(f"If {name} is a single number, it must be non negative.")
        low, high = middle - float(given), middle + float(given)  # type: ignore[arg-type]
        low = max(low, 0.0) if middle == 1 else low
    elif isinstance(given, tuple | list) and len(given) == 2:
        low, high = float(given[0]), float(given[1])
    else:
        raise TypeError(f"{name} should be a single number or a list/tuple with length 2.")
    if not bounds[0] <= low <= high <= bounds[1]:
        raise ValueError(f"{name} values should be between {bounds}, but got {[low, high]}.")
    return None if low == high == middle else (low, high)


class RandomGrayscale(Chance):
    """Grey with as many channels as before, with probability p."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p)

    def transform(self, img: Any) -> Any:
        return F.rgb_to_grayscale(img, F.get_dimensions(img)[0])


class GaussianBlur(TransformModule):
    """Blurred by a bell of `kernel_size` pixels whose width is drawn from `sigma` (least, most)."""

    def __init__(
        self, kernel_size: int | Sequence[int], sigma: float | Sequence[float] = (0.1, 2.0)
    ) -> None:
        super().__init__()
        self.kernel_size = F.pair(kernel_size, "Kernel size should be a tuple/list of two integers")
        if any(n <= 0 or n % 2 == 0 for n in self.kernel_size):
            raise ValueError("Kernel size value should be an odd and positive number.")
        if isinstance(sigma, int | float):
            if sigma <= 0:
                raise ValueError("If sigma is a single number, it must be positive.")
            sigma = (sigma, sigma)
        elif isinstance(sigma, Sequence) and len(sigma) == 2:
            if not 0.0 < sigma[0] <= sigma[1]:
                raise ValueError("sigma values should be positive and of the form (min, max).")
        else:
            raise ValueError("sigma should be a single number or a list/tuple with length 2.")
        self.sigma = sigma

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """A width between the two."""
        return uniform(sigma_min, sigma_max)

    def forward(self, img: Any) -> Any:
        sigma = self.get_params(self.sigma[0], self.sigma[1])
        return F.gaussian_blur(img, self.kernel_size, [sigma, sigma])

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, sigma={self.sigma}"


class RandomInvert(Chance):
    """Inverted with probability p."""

    def transform(self, img: Any) -> Any:
        return F.invert(img)


class RandomPosterize(Chance):
    """Only the upper `bits` bits, with probability p."""

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits

    def transform(self, img: Any) -> Any:
        return F.posterize(img, self.bits)

    def extra_repr(self) -> str:
        return f"bits={self.bits},p={self.p}"


class RandomSolarize(Chance):
    """Inverted from `threshold` on, with probability p."""

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold

    def transform(self, img: Any) -> Any:
        return F.solarize(img, self.threshold)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold},p={self.p}"


class RandomAdjustSharpness(Chance):
    """Sharper (or, with a factor below 1, blurred) with probability p."""

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def transform(self, img: Any) -> Any:
        return F.adjust_sharpness(img, self.sharpness_factor)

    def extra_repr(self) -> str:
        return f"sharpness_factor={self.sharpness_factor},p={self.p}"


class RandomAutocontrast(Chance):
    """Each channel stretched from black to white, with probability p."""

    def transform(self, img: Any) -> Any:
        return F.autocontrast(img)


class RandomEqualize(Chance):
    """As many pixels of one brightness as of another, with probability p."""

    def transform(self, img: Any) -> Any:
        return F.equalize(img)
