"""Event files hold what was added: read back here by the grammar of `records`."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

import chainrule as torch
from chainrule.utils.tensorboard import SummaryWriter
from chainrule.utils.tensorboard.records import masked


def records(path: Path) -> list[bytes]:
    data, found = path.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        body = data[12 : 12 + length]
        assert struct.unpack("<I", data[8:12])[0] == masked(data[:8])
        assert struct.unpack("<I", data[12 + length : 16 + length])[0] == masked(body)
        found.append(body)
        data = data[16 + length :]
    return found


def fields(message: bytes) -> dict[int, list]:
    out: dict[int, list] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        n = shift = 0
        while True:
            byte = message[at]
            at += 1
            n |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return n

    while at < len(message):
        key = varint()
        kind = key & 7
        if kind == 0:
            found: object = varint()
        else:
            size = {1: 8, 5: 4}.get(kind) or varint()
            found = message[at : at + size]
            at += size
            if kind in (1, 5):
                found = struct.unpack("<d" if kind == 1 else "<f", found)[0]
        out.setdefault(key >> 3, []).append(found)
    return out


def values(folder: Path) -> list[tuple[str, int, dict]]:
    (file,) = folder.glob("events.out.tfevents.*")
    first, *rest = map(fields, records(file))
    assert first[3] == [b"brain.Event:2"]
    out = []
    for event in rest:
        for v in fields(event[5][0])[1]:
            found = fields(v)
            out.append((found[1][0].decode(), event.get(2, [0])[0], found))
    return out


def test_scalars_keep_tag_step_and_number(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("loss", torch.tensor(0.5), 7)
        writer.add_scalar("loss", 0.25, 8)
    assert [(t, s, v[2]) for t, s, v in values(tmp_path)] == [
        ("loss", 7, [0.5]), ("loss", 8, [0.25]),
    ]  # fmt: skip


def test_scalars_of_one_chart_go_to_folders(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalars("run/acc", {"train": 1, "test": 2}, 3)
    assert values(tmp_path / "run_acc_test")[0][:2] == ("run/acc", 3)


def test_a_histogram_counts_every_number(tmp_path: Path) -> None:
    x = torch.tensor([-1.0, 0.5, 0.5, 2.0])
    with SummaryWriter(tmp_path) as writer:
        writer.add_histogram("w", x, 0)
    found = fields(values(tmp_path)[0][2][5][0])
    assert [found[i][0] for i in range(1, 6)] == [-1.0, 2.0, 4.0, 2.0, 5.5]
    counts = np.frombuffer(found[7][0], "<f8")
    limits = np.frombuffer(found[6][0], "<f8")
    assert counts.sum() == 4 and len(counts) == len(limits)
    assert limits[0] < -1 and limits[-1] > 2


def test_images_are_png_files(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_images("x", torch.rand(3, 1, 4, 5), 0)
    found = fields(values(tmp_path)[0][2][4][0])
    assert (found[1], found[2], found[3]) == ([4], [15], [3])
    png = found[4][0]
    assert png.startswith(b"\x89PNG")
    start = png.index(b"IDAT")
    (length,) = struct.unpack(">I", png[start - 4 : start])
    assert len(zlib.decompress(png[start + 4 : start + 4 + length])) == 4 * (1 + 15 * 3)


def test_texts_and_hyperparameters(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_text("note", "**bold**")
        writer.add_hparams({"lr": 0.1, "name": "a", "bias": True}, {"acc": 0.9}, run_name="first")
    tag, _, found = values(tmp_path)[0]
    assert tag == "note/text_summary" and fields(found[8][0])[8] == [b"**bold**"]
    tags = [t for t, _, _ in values(tmp_path / "first")]
    assert tags == [
        "_hparams_/experiment", "_hparams_/session_start_info", "_hparams_/session_end_info", "acc",
    ]  # fmt: skip


def test_what_it_cannot_write_is_an_error(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer, pytest.raises(NotImplementedError, match="scalars"):
        writer.add_audio("a", torch.zeros(4))
