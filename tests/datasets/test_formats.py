"""IDX, pickles and .npz are read exactly, or refused with the reason."""

from __future__ import annotations

import gzip
import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.datasets.formats import load_pickle, read_idx, read_npz
from chainrule.errors import DataError


def idx(array: np.ndarray[Any, Any]) -> bytes:
    lengths = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + lengths + array.tobytes()


@pytest.mark.parametrize("shape", [(3,), (2, 5, 4), (0, 28, 28)])
def test_idx_packed_and_not(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    (tmp_path / "plain").write_bytes(idx(array))
    (tmp_path / "packed.gz").write_bytes(gzip.compress(idx(array)))
    for name in ("plain", "packed.gz"):
        read = read_idx(tmp_path / name)
        assert read.dtype == np.uint8 and read.flags.writeable
        np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not an IDX"),
        (b"\x89PNG", "not an IDX"),
        (bytes([0, 0, 13, 1, 0, 0, 0, 1, 0, 0, 0, 0]), "not an IDX"),  # floats
        (bytes([0, 0, 8, 2, 0, 0]), "cut or padded"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2]), "cut or padded"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 1, 1, 2]), "cut or padded"),
    ],
)
def test_what_is_not_idx_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(DataError, match=reason):
        read_idx(tmp_path / "file")


def test_a_cut_gzip_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(idx(np.zeros((9, 9), np.uint8)))[:-9])
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path / "x.gz")


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_of_arrays_is_read_at_every_protocol(protocol: int) -> None:
    value = {"data": np.arange(6, dtype=np.uint8).reshape(2, 3), "labels": [1, 2], "n": np.int64(7)}
    read = load_pickle(io.BytesIO(pickle.dumps(value, protocol)), "it")
    np.testing.assert_array_equal(read["data"], value["data"])
    assert read["labels"] == [1, 2] and read["n"] == 7


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    for payload in (Trap(), [Trap()], np.array([Trap()], dtype=object)):
        with pytest.raises(DataError, match="mkdir"):
            load_pickle(io.BytesIO(pickle.dumps(payload, 2)), "it")
    np.savez(tmp_path / "trap.npz", x=np.array([Trap(), None], dtype=object))
    with pytest.raises(DataError, match="mkdir"):
        read_npz(tmp_path / "trap.npz", ("x",))
    assert not (tmp_path / "sprung").exists()


def test_npz_of_numbers_and_of_objects(tmp_path: Path) -> None:
    ragged = np.empty(2, dtype=object)
    ragged[0], ragged[1] = [1, 2, 3], [4]
    table = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.savez_compressed(tmp_path / "a.npz", ragged=ragged, table=table, none=np.zeros((0, 4)))
    read = read_npz(tmp_path / "a.npz", ("ragged", "table", "none"))
    assert read["ragged"].tolist() == [[1, 2, 3], [4]]
    np.testing.assert_array_equal(read["table"], table)
    assert read["none"].shape == (0, 4)
    with pytest.raises(DataError, match="no array 'other'"):
        read_npz(tmp_path / "a.npz", ("other",))
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:-40])
    with pytest.raises(DataError, match="not a readable"):
        read_npz(tmp_path / "b.npz", ("table",))
