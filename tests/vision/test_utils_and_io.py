"""Grids, drawings and image files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import dtypes
from chainrule.tensor.creation import arange, from_numpy, rand, tensor, zeros
from chainrule.vision import images, utils
from chainrule.vision import io as vio
from chainrule.vision.io.png import encoded

PIXELS = np.random.default_rng(0).integers(256, size=(3, 6, 7), dtype=np.uint8)


def test_a_grid() -> None:
    x = arange(2 * 4, dtype=dtypes.float32).reshape(2, 1, 2, 2)
    grid = utils.make_grid(x, nrow=1, padding=1, pad_value=9.0)
    assert grid.shape == (3, 7, 4)
    assert grid[0].tolist() == [
        [9, 9, 9, 9],
        [9, 0, 1, 9],
        [9, 2, 3, 9],
        [9, 9, 9, 9],
        [9, 4, 5, 9],
        [9, 6, 7, 9],
        [9, 9, 9, 9],
    ]
    assert utils.make_grid(x[0]).shape == (3, 2, 2)
    assert utils.make_grid([x[0], x[1]]).shape == (3, 6, 10)
    spread = utils.make_grid(x, normalize=True, scale_each=True, padding=0)
    assert spread[0, :, :2].tolist() == spread[0, :, 2:].tolist()
    assert spread.max().item() == 1.0 and spread.min().item() == 0.0
    with pytest.raises(TypeError, match="tensor or list of tensors expected"):
        utils.make_grid("x")  # type: ignore[arg-type]


def test_a_saved_image_is_read_again(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    image = from_numpy(PIXELS.astype(np.float32) / 255)
    utils.save_image(image, tmp_path / "a.png")
    assert vio.read_image(tmp_path / "a.png").tolist() == PIXELS.tolist()
    memory = io.BytesIO()
    utils.save_image(rand(4, 1, 5, 5), memory, format="jpeg")
    assert memory.getvalue()[:2] == b"\xff\xd8"


def test_without_pillow_png_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_pil", lambda: None)
    utils.save_image(from_numpy(PIXELS.astype(np.float32) / 255), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == encoded(np.moveaxis(PIXELS, 0, -1))
    with pytest.raises(ModuleNotFoundError, match="only PNG can be written without Pillow"):
        utils.save_image(zeros(3, 2, 2), tmp_path / "a.jpg")
    with pytest.raises(ModuleNotFoundError, match="pip install"):
        vio.read_image(tmp_path / "a.png")


def test_files_and_codecs(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    image = from_numpy(PIXELS)
    vio.write_png(image, tmp_path / "a.png")
    assert vio.decode_png(vio.read_file(tmp_path / "a.png")).tolist() == PIXELS.tolist()
    assert vio.read_image(tmp_path / "a.png", vio.ImageReadMode.GRAY).shape == (1, 6, 7)
    assert vio.decode_image(str(tmp_path / "a.png"), "RGBA").shape == (4, 6, 7)
    smooth = np.broadcast_to(np.arange(0, 240, 15, dtype=np.uint8), (3, 16, 16)).copy()
    vio.write_jpeg(from_numpy(smooth), tmp_path / "a.jpg", quality=95)
    back = vio.read_image(tmp_path / "a.jpg").numpy().astype(int)
    assert np.abs(back - smooth).max() < 6
    jpeg = vio.encode_jpeg(image)
    assert vio.decode_jpeg([jpeg, jpeg])[1].shape == (3, 6, 7)
    vio.write_file(tmp_path / "b", jpeg)
    assert vio.read_file(tmp_path / "b").tolist() == jpeg.tolist()
    with pytest.raises(RuntimeError, match="No such file"):
        vio.read_file(tmp_path / "missing")
    with pytest.raises(RuntimeError, match="expected PNG"):
        vio.decode_png(jpeg)
    with pytest.raises(RuntimeError, match="should be 1 or 3"):
        vio.encode_png(tensor(np.zeros((2, 2, 2), np.uint8)))
    with pytest.raises(NotImplementedError, match="ffmpeg"):
        vio.read_video("film.mp4")


def test_drawing() -> None:
    pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    black = tensor(np.zeros((3, 20, 20), np.uint8))
    boxes = tensor([[2.0, 3.0, 10.0, 12.0]])
    drawn = utils.draw_bounding_boxes(black, boxes, labels=["a"], colors="red").numpy()
    assert drawn[:, 3, 2].tolist() == [255, 0, 0] and drawn[:, 15, 15].tolist() == [0, 0, 0]
    filled = utils.draw_bounding_boxes(black, boxes, fill=True, colors=(0, 0, 255))
    assert 90 < filled.numpy()[2, 7, 6] < 110
    points = utils.draw_keypoints(black, tensor([[[5.0, 6.0]]]), colors="blue", radius=1)
    assert points.numpy()[:, 6, 5].tolist() == [0, 0, 255]
    with pytest.raises(ValueError, match="Boxes need to be in"):
        utils.draw_bounding_boxes(black, tensor([[9.0, 3.0, 1.0, 12.0]]))
    with pytest.warns(UserWarning, match="No box was drawn"):
        assert utils.draw_bounding_boxes(black, zeros(0, 4)) is black


def test_masks_and_flow() -> None:
    white = tensor(np.full((3, 2, 2), 200, np.uint8))
    mask = tensor([[[True, False], [False, False]]])
    drawn = utils.draw_segmentation_masks(white, mask, alpha=0.5, colors=[(0, 100, 0)])
    assert drawn.numpy()[:, 0, 0].tolist() == [100, 150, 100]
    assert drawn.numpy()[:, 1, 1].tolist() == [200, 200, 200]
    flow = np.zeros((2, 1, 3), np.float32)
    flow[0, 0, 1:] = 1, -1
    picture = utils.flow_to_image(from_numpy(flow)).numpy()
    assert picture[:, 0, 0].tolist() == [255, 255, 255]  # no motion is white
    assert picture[:, 0, 1].tolist() != picture[:, 0, 2].tolist()
    with pytest.raises(ValueError, match="dtype"):
        utils.flow_to_image(from_numpy(flow.astype(np.float64)))


def test_rooms_are_found_by_their_names() -> None:
    import chainrule.vision as vision

    found: Any = vision
    assert found.io.image.ImageReadMode.RGB is vio.ImageReadMode.RGB
    assert found.utils is utils and found.datasets.folder and found.transforms.v2
    with pytest.raises(AttributeError, match=r"chainrule\.vision"):
        _ = found.nothing
