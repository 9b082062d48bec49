"""Videos: not there. The functions say what to do instead."""

from __future__ import annotations

from typing import Any

from chainrule.tensor import Tensor

_INSTEAD = (
    "videos are not decoded here: extract the frames (`ffmpeg -i film.mp4 frame%05d.png`) and read "
    "them with chainrule.vision.io.read_image, or decode with a package for it (av, imageio) and "
    "pass the arrays to chainrule.from_numpy"
)


def read_video(
    filename: str,
    start_pts: float = 0,
    end_pts: float | None = None,
    pts_unit: str = "pts",
    output_format: str = "THWC",
) -> tuple[Tensor, Tensor, dict[str, Any]]:
    """Raises `NotImplementedError`, which says what to do instead."""
    raise NotImplementedError(f"read_video({filename!r}): {_INSTEAD}")


def read_video_timestamps(filename: str, pts_unit: str = "pts") -> tuple[list[int], float | None]:
    """Raises `NotImplementedError`, which says what to do instead."""
    raise NotImplementedError(f"read_video_timestamps({filename!r}): {_INSTEAD}")


def write_video(
    filename: str,
    video_array: Tensor,
    fps: float,
    video_codec: str = "libx264",
    options: dict[str, Any] | None = None,
    audio_array: Tensor | None = None,
    audio_fps: float | None = None,
    audio_codec: str | None = None,
    audio_options: dict[str, Any] | None = None,
) -> None:
    """Raises `NotImplementedError`: write frames with `write_png` and join them with ffmpeg."""
    raise NotImplementedError(
        f"write_video({filename!r}): videos are not encoded here: write the frames with "
        "chainrule.vision.io.write_png and join them (`ffmpeg -i frame%05d.png film.mp4`)"
    )


class VideoReader:
    """Raises `NotImplementedError` when made."""

    def __init__(self, src: Any, stream: str = "video", num_threads: int = 0) -> None:
        raise NotImplementedError(f"VideoReader: {_INSTEAD}")
