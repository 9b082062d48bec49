"""Transforms mean what torchvision's mean, for one image and for a batch of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import dtypes
from chainrule.errors import ShapeError
from chainrule.runtime.random import manual_seed
from chainrule.tensor import Tensor
from chainrule.tensor.creation import tensor, zeros
from chainrule.vision import transforms as T
from chainrule.vision.images import Image, make_image
from chainrule.vision.transforms import functional as F
from chainrule.vision.transforms.base import Batch, batch_method

Array = np.ndarray[Any, np.dtype[Any]]

GREY = ((np.arange(20).reshape(4, 5) * 37) % 256).astype(np.uint8)
COLOUR = np.random.default_rng(0).integers(256, size=(6, 7, 3), dtype=np.uint8)


def pixels(image: Any) -> Array:
    return np.asarray(image)


def test_to_tensor() -> None:
    image = F.to_tensor(make_image(COLOUR))
    assert image.shape == (3, 6, 7) and image.dtype == dtypes.float32
    np.testing.assert_array_equal(
        image.numpy(), COLOUR.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    )
    assert F.to_tensor(GREY).shape == (1, 4, 5)
    floats = np.arange(6.0).reshape(1, 2, 3) * 100  # not bytes: values stay
    assert F.to_tensor(floats).tolist() == floats.transpose(2, 0, 1).tolist()
    assert F.pil_to_tensor(make_image(GREY)).dtype == dtypes.uint8
    with pytest.raises(TypeError, match="pic should be PIL Image or ndarray"):
        F.to_tensor(zeros(1, 2, 2))
    with pytest.raises(ValueError, match="pic should be 2/3 dimensional"):
        F.to_tensor(np.zeros(3))


def test_to_tensor_gives_the_default_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dtypes, "_default", dtypes.float64)
    exact = COLOUR.transpose(2, 0, 1) / 255
    assert F.to_tensor(COLOUR).tolist() == exact.tolist()
    whole = T.ToTensor().batch(Batch("image", COLOUR.transpose(2, 0, 1)[None]))
    assert whole.planes.dtype == np.float64 and whole.planes[0].tolist() == exact.tolist()


def test_the_tensor_owns_its_memory() -> None:
    array = GREY.copy()
    image = T.PILToTensor()(make_image(array))
    array[:] = 0
    assert image.numpy()[0].tolist() == GREY.tolist()


def test_to_pil_image_and_back() -> None:
    np.testing.assert_array_equal(pixels(F.to_pil_image(F.to_tensor(COLOUR))), COLOUR)
    np.testing.assert_array_equal(pixels(T.ToPILImage()(GREY)), GREY)
    assert pixels(F.to_pil_image(tensor([[0.5, 1.0]]))).tolist() == [[127, 255]]
    with pytest.raises(ValueError, match="> 4 channels"):
        F.to_pil_image(zeros(5, 2, 2))


def test_normalize() -> None:
    image = F.to_tensor(COLOUR)
    mean, std = [0.4914, 0.4822, 0.4465], [0.247, 0.243, 0.261]
    got = T.Normalize(mean, std)(image).numpy()
    by_hand = (image.numpy() - np.float32(mean)[:, None, None]) / np.float32(std)[:, None, None]
    np.testing.assert_array_equal(got, by_hand)
    assert T.Normalize(0.5, 0.5)(zeros(2, 1, 1)).tolist() == [[[-1.0]], [[-1.0]]]
    F.normalize(image, mean, std, inplace=True)
    np.testing.assert_array_equal(image.numpy(), by_hand)


def test_normalize_says_what_is_wrong() -> None:
    with pytest.raises(TypeError, match="Input tensor should be a float tensor"):
        F.normalize(tensor([[[1]]]), [0.0], [1.0])
    with pytest.raises(TypeError, match="img should be Tensor Image"):
        F.normalize(GREY, [0.0], [1.0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="image of size"):
        F.normalize(zeros(2, 2), [0.0], [1.0])
    with pytest.raises(ValueError, match="std evaluated to zero"):
        F.normalize(zeros(1, 2, 2), [0.0], [0.0])
    with pytest.raises(ShapeError, match="mean has 3 values and the image 1 channels"):
        F.normalize(zeros(1, 2, 2), [0.0] * 3, [1.0] * 3)


# Pixels computed by pillow (size as it counts: width, height), values computed by PyTorch

BY_PILLOW = {
    ("bilinear", (2, 3)): [[112, 84, 97], [110, 139, 127]],
    ("bicubic", (2, 3)): [[114, 79, 93], [108, 149, 129]],
    ("nearest", (2, 3)): [[185, 3, 77], [43, 117, 191]],
    ("bilinear", (6, 7)): [
        [0, 21, 48, 74, 100, 127, 148],
        [93, 114, 104, 39, 65, 92, 113],
        [173, 194, 160, 34, 60, 69, 65],
        [126, 147, 161, 157, 183, 118, 18],
        [79, 100, 127, 153, 179, 151, 99],
        [43, 64, 91, 117, 143, 170, 191],
    ],
    ("bicubic", (6, 7)): [
        [0, 5, 40, 79, 105, 135, 155],
        [90, 118, 106, 30, 51, 92, 121],
        [186, 222, 178, 22, 44, 63, 63],
        [127, 149, 169, 169, 212, 119, 0],
        [70, 89, 124, 161, 198, 157, 98],
        [36, 56, 86, 112, 137, 176, 206],
    ],
}


@pytest.mark.parametrize(("method", "size"), BY_PILLOW)
def test_images_are_resized_as_by_pillow(method: str, size: tuple[int, int]) -> None:
    got = F.resize(make_image(GREY), size, F.InterpolationMode(method))
    assert pixels(got).tolist() == BY_PILLOW[method, size]


@pytest.mark.parametrize(
    ("antialias", "expected"),
    [
        (True, [[111.428574, 84.238098, 97.102043], [109.571426, 139.269836, 126.591843]]),
        (False, [[104.833336, 38.5, 100.166664], [90.833336, 152.5, 128.833344]]),
    ],
)
def test_tensors_are_resized_as_by_pytorch(antialias: bool, expected: list[list[float]]) -> None:
    image = tensor(GREY[None].astype(np.float32))
    got = F.resize(image, (2, 3), antialias=antialias).numpy()
    np.testing.assert_allclose(got[0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "size", "max_size", "expected"),
    [
        ((4, 6), 8, None, (8, 12)),
        ((6, 4), 8, None, (12, 8)),
        ((5, 7), 3, None, (3, 4)),  # 3 · 7 / 5 = 4.2, rounded down
        ((4, 40), 8, 20, (2, 20)),
        ((4, 6), [9], None, (9, 13)),
        ((4, 6), (3, 3), None, (3, 3)),
    ],
)
def test_the_shorter_edge_is_the_size(
    shape: tuple[int, int], size: Any, max_size: int | None, expected: tuple[int, int]
) -> None:
    assert T.Resize(size, max_size=max_size)(zeros(1, *shape)).shape == (1, *expected)


def test_crop_and_pad() -> None:
    image = make_image(GREY)
    assert pixels(F.crop(image, 1, 2, 2, 3)).tolist() == GREY[1:3, 2:5].tolist()
    outside = pixels(F.crop(image, -1, 3, 3, 4))
    assert outside[0].tolist() == [0, 0, 0, 0] and outside[1, :2].tolist() == GREY[0, 3:].tolist()
    assert pixels(T.CenterCrop((2, 3))(image)).tolist() == GREY[1:3, 1:4].tolist()
    assert pixels(T.CenterCrop(6)(image)).shape == (6, 6)
    padded = pixels(T.Pad((1, 2, 3, 4), fill=9)(image))
    assert padded.shape == (10, 9) and padded[2:6, 1:6].tolist() == GREY.tolist()
    assert set(padded[:2].ravel().tolist()) == {9}
    for mode in ("edge", "reflect", "symmetric"):
        expected = np.pad(GREY, 2, mode=mode)  # type: ignore[call-overload]
        assert pixels(F.pad(image, 2, padding_mode=mode)).tolist() == expected.tolist()
    coloured = pixels(F.pad(make_image(COLOUR), (1, 0), (1, 2, 3)))
    assert coloured[:, 0].tolist() == [[1, 2, 3]] * 6
    np.testing.assert_array_equal(coloured[:, 1:-1], COLOUR)


def test_flips() -> None:
    np.testing.assert_array_equal(pixels(F.hflip(make_image(COLOUR))), COLOUR[:, ::-1])
    np.testing.assert_array_equal(pixels(F.vflip(make_image(COLOUR))), COLOUR[::-1])
    assert F.hflip(tensor([[[1, 2]]])).tolist() == [[[2, 1]]]
    assert pixels(T.RandomHorizontalFlip(1)(make_image(GREY))).tolist() == GREY[:, ::-1].tolist()
    assert pixels(T.RandomVerticalFlip(0)(make_image(GREY))).tolist() == GREY.tolist()


def test_grey() -> None:
    pure = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    # ITU-R 601: 0.299, 0.587, 0.114 of 255
    assert pixels(T.Grayscale()(make_image(pure))).tolist() == [[76, 150, 29]]
    assert pixels(T.Grayscale(3)(make_image(pure)))[0, 1].tolist() == [150] * 3
    one = T.Grayscale()(tensor([[[1.0]], [[2.0]], [[3.0]]]))
    np.testing.assert_allclose(one.numpy(), [[[0.2989 + 2 * 0.587 + 3 * 0.114]]], rtol=1e-6)


def test_ranges_are_scaled_with_the_element_type() -> None:
    to = F.convert_image_dtype
    assert to(tensor([[0.0, 1.0]]), dtypes.uint8).tolist() == [[0, 255]]
    assert to(tensor([[0, 255]], dtype=dtypes.uint8), dtypes.float32).tolist() == [[0.0, 1.0]]
    assert to(tensor([[255]], dtype=dtypes.uint8), dtypes.int16).tolist() == [[255 * 128]]
    assert to(tensor([[255 * 128]], dtype=dtypes.int16), dtypes.uint8).tolist() == [[255]]


# Chance


def test_random_crops_lie_anywhere_and_are_parts_of_the_image() -> None:
    image = np.arange(48, dtype=np.uint8).reshape(6, 8)
    seen = set()
    for _ in range(300):
        part = pixels(T.RandomCrop((5, 6))(make_image(image)))
        top, left = divmod(int(part[0, 0]), 8)
        assert part.tolist() == image[top : top + 5, left : left + 6].tolist()
        seen.add((top, left))
    assert seen == {(top, left) for top in (0, 1) for left in (0, 1, 2)}
    assert pixels(T.RandomCrop(8, pad_if_needed=True)(make_image(image))).shape == (8, 8)
    assert pixels(T.RandomCrop(6, padding=4)(make_image(image))).shape == (6, 6)
    with pytest.raises(ValueError, match=r"Required crop size \(7, 7\) is larger than input"):
        T.RandomCrop(7)(make_image(image))
    assert T.RandomCrop.get_params(make_image(image), (6, 8)) == (0, 0, 6, 8)


def test_random_resized_crop() -> None:
    for _ in range(20):
        assert T.RandomResizedCrop(4)(make_image(COLOUR)).size == (4, 4)
        top, left, h, w = T.RandomResizedCrop.get_params(make_image(COLOUR), (0.2, 0.9), (0.7, 1.4))
        assert 0 <= top <= 6 - h and 0 <= left <= 7 - w
    middle = T.RandomResizedCrop.get_params(zeros(1, 2, 100), (5.0, 6.0), (0.5, 2.0))
    assert middle == (0, 48, 2, 4)


def test_chance_follows_the_seed() -> None:
    chain = T.Compose([T.RandomCrop(3), T.RandomHorizontalFlip()])

    def run() -> list[Any]:
        manual_seed(5)
        return [pixels(chain(make_image(GREY))).tolist() for _ in range(8)]

    assert run() == run()


def test_random_apply() -> None:
    assert T.RandomApply([T.Lambda(lambda x: x + 1)], p=1)(1) == 2
    assert T.RandomApply([T.Lambda(lambda x: x + 1)], p=0)(1) == 1


# A batch at once


FIXED = [
    T.Resize((3, 4)),
    T.Resize(9, F.InterpolationMode.BICUBIC),
    T.CenterCrop(5),
    T.Pad(2, fill=(1, 2, 3)),
    T.Grayscale(3),
    T.RandomHorizontalFlip(1.0),
    T.RandomVerticalFlip(1.0),
]


@pytest.mark.parametrize("transform", FIXED, ids=repr)
def test_a_batch_is_what_its_images_are(transform: Any) -> None:
    images = np.random.default_rng(1).integers(256, size=(4, 6, 7, 3), dtype=np.uint8)
    chain = T.Compose([transform, T.ToTensor(), T.Normalize([0.5, 0.4, 0.3], [0.2, 0.3, 0.4])])
    method = batch_method(chain)
    assert method is not None
    result = method(Batch("image", images.transpose(0, 3, 1, 2)))
    assert result.kind == "tensor"
    rows = [chain(make_image(image)).numpy() for image in images]
    np.testing.assert_array_equal(result.planes, np.stack(rows))


def test_each_image_of_a_batch_has_a_chance_of_its_own() -> None:
    images = np.tile(np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8), (500, 1, 1, 1))
    method = batch_method(T.Compose([T.RandomCrop(6), T.RandomHorizontalFlip()]))
    assert method is not None
    parts = method(Batch("image", images)).planes
    assert parts.shape == (500, 1, 6, 6)
    corners = {tuple(part[0, 0, [0, -1]].tolist()) for part in parts}
    plain = {(8 * top + left, 8 * top + left + 5) for top in range(3) for left in range(3)}
    assert corners == plain | {(last, first) for first, last in plain}
    flipped = sum(part[0, 0, 0] > part[0, 0, -1] for part in parts)
    assert 180 < flipped < 320  # 250 with a standard deviation of 11


def test_unknown_callables_are_left_to_single_images() -> None:
    class Louder(T.Normalize):
        def forward(self, tensor: Tensor) -> Tensor:
            return super().forward(tensor) * 2

    class Whole(T.Compose):
        def __call__(self, img: Any) -> Any:
            return super().__call__(img)

    assert batch_method(Louder([0.5], [0.5])) is None
    assert batch_method(Whole([T.ToTensor()])) is None
    assert batch_method(lambda image: image) is None
    batch = Batch("image", np.zeros((1, 1, 2, 2), np.uint8))
    for chain in (
        T.Compose([T.ToTensor(), T.Lambda(lambda x: x)]),
        T.Compose([T.RandomHorizontalFlip(), abs]),
        T.Compose([T.Normalize([0.5], [0.5])]),  # on an image: an error, which one image raises
    ):
        method = batch_method(chain)
        assert method is not None and method(batch) is NotImplemented


def test_the_text_shows_the_chain() -> None:
    chain = T.Compose([T.ToTensor(), T.Normalize((0.1307,), (0.3081,))])
    assert repr(chain) == (
        "Compose(\n    ToTensor()\n    Normalize(mean=(0.1307,), std=(0.3081,))\n)"
    )


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(TypeError, match="should be a PIL image, an Image or a Tensor"):
        F.hflip([1, 2])


# Without pillow


def test_the_stand_in_for_an_image() -> None:
    image = Image(COLOUR)
    assert image.size == (7, 6) and image.mode == "RGB" and image.getbands() == ("R", "G", "B")
    assert image.getpixel((2, 1)) == tuple(COLOUR[1, 2].tolist())
    assert Image(GREY).mode == "L" and Image(GREY).getpixel((4, 0)) == 148
    assert Image(GREY) == Image(GREY).copy() and Image(GREY) != Image(GREY[::-1])
    np.testing.assert_array_equal(np.asarray(image), COLOUR)
    assert "mode=RGB size=7x6" in repr(image)
    with pytest.raises(ValueError, match="1 to 4 channels"):
        Image(np.zeros((2, 2, 5), np.uint8))
    np.testing.assert_array_equal(F.to_tensor(image).numpy(), F.to_tensor(COLOUR).numpy())


def test_pillows_images_come_out_as_they_went_in() -> None:
    pil = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    image = pil.fromarray(COLOUR)
    for transform in (T.Resize(3), T.RandomCrop(4), T.Grayscale(3), T.Pad(1)):
        assert isinstance(transform(image), pil.Image)
    assert F.to_tensor(pil.fromarray(GREY > 100)).numpy().max() == 1.0
