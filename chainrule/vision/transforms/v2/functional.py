"""The transforms as functions of images, masks, boxes, points and videos, with the names of
`torchvision.transforms.v2.functional`.

What comes in is what goes out. Colours leave masks, boxes and points as they are; masks are moved
without mixing their values.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.dtypes import DType, float32, uint8
from chainrule.tensor import Tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.utils.data.batching import values
from chainrule.vision import tv_tensors, warps
from chainrule.vision.draws import draws
from chainrule.vision.images import is_image, is_pil, pil_module
from chainrule.vision.transforms import functional as v1
from chainrule.vision.transforms.functional import InterpolationMode
from chainrule.vision.transforms.v2 import points
from chainrule.vision.tv_tensors import BoundingBoxFormat

Fill = float | Sequence[float] | None
Interpolation = InterpolationMode | str | int

BILINEAR, NEAREST = InterpolationMode.BILINEAR, InterpolationMode.NEAREST
_KERNELS: dict[tuple[str, type], Callable[..., Any]] = {}


def is_pure_tensor(inpt: Any) -> bool:
    """Whether it is a tensor of no special kind."""
    return isinstance(inpt, Tensor) and not isinstance(inpt, tv_tensors.TVTensor)


def register_kernel(functional: Any, tv_tensor_cls: type) -> Callable[[Any], Any]:
    """A decorator: what `functional` does with a kind of TVTensor of your own."""
    name = functional if isinstance(functional, str) else functional.__name__

    def register(kernel: Callable[..., Any]) -> Callable[..., Any]:
        _KERNELS[name, tv_tensor_cls] = kernel
        return kernel

    return register


def _mode(interpolation: Interpolation) -> InterpolationMode:
    if isinstance(interpolation, str):
        return InterpolationMode(interpolation)
    return v1.interpolation_mode(interpolation)


def _pixels(inpt: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`function` of an image or a video, of the kind that came in."""
    if not isinstance(inpt, tv_tensors.TVTensor):
        return function(inpt, *args, **kwargs)
    result = function(inpt.as_subclass(Tensor), *args, **kwargs)
    if isinstance(result, tuple):
        return tuple(tv_tensors.wrap(part, like=inpt) for part in result)
    return tv_tensors.wrap(result, like=inpt)


def _check(inpt: Any) -> None:
    if not isinstance(inpt, Tensor) and not is_image(inpt):
        raise TypeError(
            "Functional expects an image (PIL or Tensor), a mask, boxes, points or a video, but "
            f"got {type(inpt)}"
        )


def _coloured(name: str, function: Callable[..., Any] | None = None) -> Callable[..., Any]:
    function = getattr(v1, name) if function is None else function

    def transformed(inpt: Any, *args: Any, **kwargs: Any) -> Any:
        own = _KERNELS.get((name, type(inpt)))
        if own is not None:
            return own(inpt, *args, **kwargs)
        _check(inpt)
        if isinstance(inpt, tv_tensors.TVTensor) and not isinstance(
            inpt, tv_tensors.Image | tv_tensors.Video
        ):
            return inpt
        return _pixels(inpt, function, *args, **kwargs)

    transformed.__name__ = transformed.__qualname__ = name
    transformed.__doc__ = f"{function.__doc__} Masks, boxes and points stay."
    return transformed


def _equalized(img: Any) -> Any:
    """As many pixels of one brightness as of another, channel by channel; floats as 256 levels."""
    if isinstance(img, Tensor) and img.is_floating_point():
        return v1.convert_image_dtype(v1.equalize(v1.convert_image_dtype(img, uint8)), img.dtype)
    return v1.equalize(img)


def _posterized(img: Any, bits: int) -> Any:
    """Only the upper `bits` bits of each byte, or 2 ** bits levels of a float."""
    if isinstance(img, Tensor) and img.is_floating_point():
        levels, x = 1 << bits, values(img)
        kind = x.dtype.type
        result = np.clip(np.floor(x * kind(levels)), 0, levels - 1) * kind(1.0 / levels)
        return from_owned(result)
    return v1.posterize(img, bits)


def _erased(img: Any, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Any:
    """`v` instead of the rectangle of row i, column j, height h and width w."""
    if is_image(img):
        erased = v1.erase(v1.pil_to_tensor(img), i, j, h, w, v)
        return v1.to_pil_image(erased, img.mode)
    return v1.erase(img, i, j, h, w, v, inplace)


adjust_brightness = _coloured("adjust_brightness")
adjust_contrast = _coloured("adjust_contrast")
adjust_saturation = _coloured("adjust_saturation")
adjust_hue = _coloured("adjust_hue")
adjust_gamma = _coloured("adjust_gamma")
adjust_sharpness = _coloured("adjust_sharpness")
autocontrast = _coloured("autocontrast")
equalize = _coloured("equalize", _equalized)
invert = _coloured("invert")
posterize = _coloured("posterize", _posterized)
solarize = _coloured("solarize")
rgb_to_grayscale = _coloured("rgb_to_grayscale")
to_grayscale = rgb_to_grayscale
gaussian_blur = _coloured("gaussian_blur")
normalize = _coloured("normalize")
erase = _coloured("erase", _erased)
five_crop = _coloured("five_crop")
ten_crop = _coloured("ten_crop")
convert_image_dtype = _coloured("convert_image_dtype")


def grayscale_to_rgb(inpt: Any) -> Any:
    """Three equal channels where there was one."""
    if isinstance(inpt, tv_tensors.TVTensor) and not isinstance(
        inpt, tv_tensors.Image | tv_tensors.Video
    ):
        return inpt
    if is_pil(inpt):
        return inpt.convert("RGB") if inpt.mode in ("L", "LA") else inpt
    return inpt if inpt.shape[-3] >= 3 else _pixels(inpt, v1.rgb_to_grayscale, 3)


def permute_channels(inpt: Any, permutation: Sequence[int]) -> Any:
    """The channels in another order."""
    order = [int(i) for i in permutation]
    if is_pil(inpt):
        return pil_module("channels are put together").merge(
            inpt.mode, [inpt.split()[i] for i in order]
        )
    if isinstance(inpt, tv_tensors.TVTensor) and not isinstance(
        inpt, tv_tensors.Image | tv_tensors.Video
    ):
        return inpt
    if inpt.shape[-3] != len(order):
        raise ValueError(
            f"Length of permutation does not match number of channels: {len(order)} != "
            f"{inpt.shape[-3]}"
        )
    return _pixels(inpt, lambda x: x[..., order, :, :])


def gaussian_noise(inpt: Any, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> Any:
    """The image plus normal noise; bytes are measured in 255ths."""
    if is_image(inpt):
        raise TypeError("gaussian_noise() does not support PIL images.")
    if sigma < 0:
        raise ValueError(f"sigma shouldn't be negative. Got {sigma}")

    def noisy(x: Tensor) -> Tensor:
        scale = 1.0 if x.is_floating_point() else 255.0
        noise = mean + draws().normal(*x.shape) * np.float32(sigma)
        result = values(x).astype(np.float32) + noise * np.float32(scale)
        result = np.clip(result, 0, scale) if clip else result
        return from_owned((result if scale == 1 else np.rint(result)).astype(x.dtype.np))

    return _pixels(inpt, noisy)


def jpeg(inpt: Any, quality: int) -> Any:
    """The image after it was packed as JPEG."""
    pil = pil_module("JPEG files are written")
    if isinstance(inpt, Tensor):
        return _pixels(inpt, lambda x: v1.pil_to_tensor(jpeg(v1.to_pil_image(x), quality)))
    file = io.BytesIO()
    inpt.save(file, format="JPEG", quality=quality)
    file.seek(0)
    image = pil.open(file)
    image.load()
    return image


# Geometry


def _geometric(
    name: str,
    inpt: Any,
    pixels: Callable[[Any], Any],
    mask: Callable[[Any], Any],
    move: points.Move,
    clamp: bool = True,
    **options: Any,
) -> Any:
    """One transform of whatever it is."""
    own = _KERNELS.get((name, type(inpt)))
    if own is not None:
        return own(inpt, **options)
    _check(inpt)
    if isinstance(inpt, tv_tensors.BoundingBoxes):
        boxes, canvas = points.moved_boxes(
            values(inpt), inpt.format, inpt.canvas_size, inpt.clamping_mode, move, clamp, **options
        )
        return tv_tensors.wrap(from_owned(boxes), like=inpt, canvas_size=canvas)
    if isinstance(inpt, tv_tensors.KeyPoints):
        exact = values(inpt)
        if move in (points.hflip, points.vflip, points.elastic):
            options = {**options, "whole": True}
        start = exact if exact.dtype.kind == "f" else exact.astype(np.float32)
        moved, canvas = move(start, inpt.canvas_size, **options)
        result = from_owned(np.ascontiguousarray(moved.astype(exact.dtype)))
        return tv_tensors.wrap(result, like=inpt, canvas_size=canvas)
    return _pixels(inpt, mask if isinstance(inpt, tv_tensors.Mask) else pixels)


def horizontal_flip(inpt: Any) -> Any:
    """Left and right exchanged."""
    return _geometric("horizontal_flip", inpt, v1.hflip, v1.hflip, points.hflip, clamp=False)


def vertical_flip(inpt: Any) -> Any:
    """Upside down."""
    return _geometric("vertical_flip", inpt, v1.vflip, v1.vflip, points.vflip, clamp=False)


hflip, vflip = horizontal_flip, vertical_flip


def crop(inpt: Any, top: int, left: int, height: int, width: int) -> Any:
    """A rectangle."""

    def cut(x: Any) -> Any:
        return v1.crop(x, top, left, height, width)

    box: dict[str, Any] = {"top": top, "left": left, "height": height, "width": width}
    return _geometric("crop", inpt, cut, cut, points.crop, **box)


def pad(
    inpt: Any,
    padding: int | Sequence[int],
    fill: Fill = None,
    padding_mode: str = "constant",
) -> Any:
    """A border: one number, (left/right, top/bottom) or (left, top, right, bottom)."""
    around = v1.four(padding)
    if padding_mode != "constant" and isinstance(
        inpt, tv_tensors.BoundingBoxes | tv_tensors.KeyPoints
    ):
        kind = "bounding boxes" if isinstance(inpt, tv_tensors.BoundingBoxes) else "keypoints"
        raise ValueError(f"Padding mode '{padding_mode}' is not supported with {kind}")
    if isinstance(inpt, tv_tensors.Mask) and isinstance(fill, list | tuple):
        raise ValueError("Non-scalar fill value is not supported")

    def grown(x: Any) -> Any:
        return v1.pad(x, around, 0 if fill is None else fill, padding_mode)

    return _geometric("pad", inpt, grown, grown, points.pad, around=around)


def resize(
    inpt: Any,
    size: int | Sequence[int] | None,
    interpolation: Interpolation = BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """Another size; None means that the longer edge becomes `max_size`."""
    if size is None:
        height, width = get_size(inpt)
        if not isinstance(max_size, int):
            raise ValueError(
                f"max_size must be an integer when size is None, but got {max_size} instead."
            )
        short = int(max_size * min(height, width) / max(height, width))
        size = [short, max_size] if height < width else [max_size, short]
        max_size = None
    mode, wanted = _mode(interpolation), size

    def image(x: Any) -> Any:
        return v1.resize(x, wanted, mode, max_size, antialias)

    def mask(x: Any) -> Any:
        return v1.resize(x, wanted, NEAREST, max_size)

    options: dict[str, Any] = {"size": size, "max_size": max_size}
    return _geometric("resize", inpt, image, mask, points.resize, False, **options)


def resized_crop(
    inpt: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: int | Sequence[int],
    interpolation: Interpolation = BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """A rectangle at another size."""
    part = crop(inpt, top, left, height, width)
    return resize(part, size, interpolation, antialias=antialias)


def center_crop(inpt: Any, output_size: int | Sequence[int]) -> Any:
    """The middle."""
    height, width = v1.pair(output_size)
    h, w = get_size(inpt)
    if height > h or width > w:
        dx, dy = max(width - w, 0), max(height - h, 0)
        inpt = pad(inpt, [dx // 2, dy // 2, (dx + 1) // 2, (dy + 1) // 2])
        h, w = get_size(inpt)
        if (h, w) == (height, width):
            return inpt
    return crop(inpt, round((h - height) / 2.0), round((w - width) / 2.0), height, width)


def affine(
    inpt: Any,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: Any,
    interpolation: Interpolation = NEAREST,
    fill: Fill = None,
    center: Sequence[float] | None = None,
) -> Any:
    """Turned, moved, scaled and sheared."""
    mode = _mode(interpolation)
    slant = [float(shear), 0.0] if isinstance(shear, int | float) else list(shear)
    slant = slant * 2 if len(slant) == 1 else slant
    moved: Any = list(translate)

    def with_mode(how: InterpolationMode) -> Callable[[Any], Any]:
        return lambda x: v1.affine(x, angle, moved, scale, slant, how, fill, center)

    options: dict[str, Any] = {
        "angle": angle,
        "translate": translate,
        "scale": scale,
        "shear": slant,
        "center": center,
    }
    return _geometric("affine", inpt, with_mode(mode), with_mode(NEAREST), points.affine, **options)


def rotate(
    inpt: Any,
    angle: float,
    interpolation: Interpolation = NEAREST,
    expand: bool = False,
    center: Sequence[float] | None = None,
    fill: Fill = None,
) -> Any:
    """Turned to the left by `angle` degrees."""
    mode = _mode(interpolation)

    def with_mode(how: InterpolationMode) -> Callable[[Any], Any]:
        return lambda x: v1.rotate(x, angle, how, expand, center, fill)

    options: dict[str, Any] = {
        "angle": -angle,
        "translate": (0.0, 0.0),
        "scale": 1.0,
        "shear": (0.0, 0.0),
        "center": center,
        "expand": expand,
    }
    return _geometric("rotate", inpt, with_mode(mode), with_mode(NEAREST), points.affine, **options)


def perspective(
    inpt: Any,
    startpoints: Sequence[Sequence[int]] | None,
    endpoints: Sequence[Sequence[int]] | None,
    interpolation: Interpolation = BILINEAR,
    fill: Fill = None,
    coefficients: Sequence[float] | None = None,
) -> Any:
    """As seen from elsewhere: the four `startpoints` moved to the `endpoints`."""
    mode = _mode(interpolation)
    if coefficients is not None and len(coefficients) != 8:
        raise ValueError("Argument coefficients should have 8 float values")
    if (startpoints is None or endpoints is None) == (coefficients is None):
        raise ValueError(
            "Either the startpoints/endpoints or the coefficients must have non `None` values."
        )
    if startpoints is not None and endpoints is not None:
        coefficients = warps.perspective_coefficients(startpoints, endpoints)
    given: Any = coefficients

    def with_mode(how: InterpolationMode) -> Callable[[Any], Any]:
        return lambda x: v1.perspective_by(x, given, how, fill)

    return _geometric(
        "perspective",
        inpt,
        with_mode(mode),
        with_mode(NEAREST),
        points.perspective,
        coefficients=given,
    )


def elastic(
    inpt: Any,
    displacement: Tensor,
    interpolation: Interpolation = BILINEAR,
    fill: Fill = None,
) -> Any:
    """Bent by a displacement (1, H, W, 2)."""
    mode = _mode(interpolation)
    if not isinstance(displacement, Tensor):
        raise TypeError("Argument displacement should be a Tensor")

    def with_mode(how: InterpolationMode) -> Callable[[Any], Any]:
        return lambda x: v1.elastic_transform(x, displacement, how, fill)

    options: dict[str, Any] = {"displacement": values(displacement)}
    return _geometric(
        "elastic", inpt, with_mode(mode), with_mode(NEAREST), points.elastic, **options
    )


elastic_transform = elastic


# Boxes


def convert_bounding_box_format(
    inpt: Any,
    old_format: BoundingBoxFormat | str | None = None,
    new_format: BoundingBoxFormat | str | None = None,
    inplace: bool = False,
) -> Any:
    """Boxes in another format; a plain tensor needs `old_format`."""
    if new_format is None:
        raise TypeError("convert_bounding_box_format() missing 1 required argument: 'new_format'")
    new = BoundingBoxFormat[new_format.upper()] if isinstance(new_format, str) else new_format
    if isinstance(inpt, tv_tensors.BoundingBoxes):
        if old_format is not None:
            raise ValueError("For bounding box tv_tensor inputs, `old_format` must not be passed.")
        result = from_owned(np.array(points.converted(values(inpt), inpt.format, new)))
        return tv_tensors.wrap(result, like=inpt, format=new)
    if old_format is None:
        raise ValueError("For pure tensor inputs, `old_format` has to be passed.")
    old = BoundingBoxFormat[old_format.upper()] if isinstance(old_format, str) else old_format
    result = from_owned(np.array(points.converted(values(inpt), old, new)))
    return inpt.copy_(result) if inplace else result


def clamp_bounding_boxes(
    inpt: Any,
    format: BoundingBoxFormat | None = None,
    canvas_size: tuple[int, int] | None = None,
    clamping_mode: str | None = "auto",
) -> Any:
    """Boxes cut off at the edge of the image."""
    if isinstance(inpt, tv_tensors.BoundingBoxes):
        mode = inpt.clamping_mode if clamping_mode == "auto" else clamping_mode
        result = points.clamped(values(inpt), inpt.format, inpt.canvas_size, mode)
        return tv_tensors.wrap(from_owned(np.array(result)), like=inpt)
    if format is None or canvas_size is None or clamping_mode == "auto":
        raise ValueError(
            "For pure tensor inputs, `format`, `canvas_size` and `clamping_mode` have to be passed."
        )
    return from_owned(np.array(points.clamped(values(inpt), format, canvas_size, clamping_mode)))


def clamp_keypoints(inpt: Any, canvas_size: tuple[int, int] | None = None) -> Any:
    """Points moved to the edge of the image where they lie outside."""
    canvas = inpt.canvas_size if isinstance(inpt, tv_tensors.KeyPoints) else canvas_size
    if canvas is None:
        raise ValueError("For pure tensor inputs, `canvas_size` has to be passed.")
    limits = np.array([canvas[1] - 1, canvas[0] - 1])
    result = from_owned(np.clip(values(inpt), 0, limits).astype(inpt.dtype.np))
    same = isinstance(inpt, tv_tensors.KeyPoints)
    return tv_tensors.wrap(result, like=inpt) if same else result


def sanitize_bounding_boxes(
    bounding_boxes: Tensor,
    format: BoundingBoxFormat | None = None,
    canvas_size: tuple[int, int] | None = None,
    min_size: float = 1.0,
    min_area: float = 1.0,
) -> tuple[Any, Tensor]:
    """The boxes that are large enough and inside the image, and which they are (bool)."""
    if isinstance(bounding_boxes, tv_tensors.BoundingBoxes):
        format, canvas_size = bounding_boxes.format, bounding_boxes.canvas_size
    if format is None or canvas_size is None:
        raise ValueError(
            "format and canvas_size cannot be None if bounding_boxes is a pure tensor."
        )
    good = valid_boxes(bounding_boxes, format, canvas_size, min_size, min_area)
    chosen = from_owned(values(bounding_boxes)[good])
    if isinstance(bounding_boxes, tv_tensors.BoundingBoxes):
        return tv_tensors.wrap(chosen, like=bounding_boxes), from_owned(good)
    return chosen, from_owned(good)


def valid_boxes(
    boxes: Tensor,
    format: BoundingBoxFormat,
    canvas: tuple[int, int],
    min_size: float,
    min_area: float,
) -> Any:
    """Which boxes are large enough and inside the image."""
    corners = points.converted(values(boxes), format, BoundingBoxFormat.XYXY)
    size = corners[..., 2:] - corners[..., :2]
    large = (size >= min_size).all(axis=-1) & (size.prod(axis=-1) >= min_area)
    inside = (corners >= 0).all(axis=-1)
    inside &= (corners <= np.array([canvas[1], canvas[0]] * 2)).all(axis=-1)
    return np.asarray(large & inside)


def sanitize_keypoints(
    key_points: Tensor, canvas_size: tuple[int, int] | None = None
) -> tuple[Any, Tensor]:
    """The points inside the image, and which they are (bool)."""
    canvas = getattr(key_points, "canvas_size", None) or canvas_size
    if canvas is None:
        raise ValueError("canvas_size cannot be None if key_points is a pure tensor.")
    where = values(key_points)
    good = ((where >= 0) & (where < np.array([canvas[1], canvas[0]]))).reshape(len(where), -1)
    chosen = from_owned(where[good.all(axis=1)])
    if isinstance(key_points, tv_tensors.KeyPoints):
        chosen = tv_tensors.wrap(chosen, like=key_points)
    return chosen, from_owned(np.asarray(good.all(axis=1)))


# Kinds and sizes


def to_image(inpt: Any) -> Any:
    """A PIL image, an array (H, W, C) or a tensor, as `tv_tensors.Image` (C, H, W)."""
    if isinstance(inpt, np.ndarray):
        array = inpt[..., None] if inpt.ndim == 2 else inpt
        return tv_tensors.Image(from_owned(np.array(np.moveaxis(array, -1, 0), order="C")))
    if is_image(inpt):
        return tv_tensors.Image(v1.pil_to_tensor(inpt))
    if isinstance(inpt, Tensor):
        return tv_tensors.Image(inpt)
    raise TypeError(f"Input can either be a numpy array or a PIL image, but got {type(inpt)}")


def pil_to_tensor(pic: Any) -> Tensor:
    """A PIL image as a tensor (C, H, W)."""
    return v1.pil_to_tensor(pic)


def to_pil_image(inpt: Any, mode: str | None = None) -> Any:
    """A tensor (C, H, W) or an array (H, W, C) as a PIL image."""
    plain = inpt.as_subclass(Tensor) if isinstance(inpt, tv_tensors.TVTensor) else inpt
    return v1.to_pil_image(plain, mode)


def to_tensor(inpt: Any) -> Tensor:
    """`to_tensor` of v1; better `to_dtype(to_image(x), float32, scale=True)`."""
    return v1.to_tensor(inpt)


def to_dtype(inpt: Any, dtype: DType = float32, scale: bool = False) -> Any:
    """Another element type; with `scale`, the range of an image's values along."""
    picture = is_pure_tensor(inpt) or isinstance(inpt, tv_tensors.Image | tv_tensors.Video)
    if scale and picture:
        return _pixels(inpt, v1.convert_image_dtype, dtype)
    return inpt.to(dtype)


def uniform_temporal_subsample(inpt: Any, num_samples: int) -> Any:
    """`num_samples` frames (…, T, C, H, W) at even distances."""

    def chosen(x: Tensor) -> Tensor:
        places = np.linspace(0, x.shape[-4] - 1, num_samples).astype(np.int64)
        return from_owned(values(x).take(places, axis=-4))

    return _pixels(inpt, chosen)


def get_size(inpt: Any) -> list[int]:
    """[height, width]."""
    if isinstance(inpt, tv_tensors.BoundingBoxes | tv_tensors.KeyPoints):
        return list(inpt.canvas_size)
    return v1.get_dimensions(inpt)[1:]


def get_dimensions(inpt: Any) -> list[int]:
    """[channels, height, width]."""
    return v1.get_dimensions(inpt)


def get_num_channels(inpt: Any) -> int:
    """The number of channels."""
    return v1.get_dimensions(inpt)[0]


get_image_num_channels = get_num_channels


def get_image_size(inpt: Any) -> list[int]:
    """[width, height]."""
    return v1.get_image_size(inpt)


def get_num_frames(inpt: Any) -> int:
    """The number of frames of a video (…, T, C, H, W)."""
    return int(inpt.shape[-4])
