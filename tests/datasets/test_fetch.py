"""Files come from the user's folder, the cache, then the mirrors, and are never used unchecked."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from local_mirror import CONTENT, Mirror, data_file, drips, fails, sends
from rich.console import Console

from chainrule.datasets import cifar10, fetch, imdb, mnist, sequences
from chainrule.datasets.fetch import DATA_VARIABLE, MIRROR_VARIABLE, DataFile, DataWarning
from chainrule.errors import DataError


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_download_lands_in_the_cache_and_is_not_repeated(mirror: Mirror, cache: Path) -> None:
    file = data_file(mirror.url("/numbers", sends(CONTENT)))
    path = fetch.fetch(file)
    assert path == cache / "toy" / "numbers.bin"
    assert path.read_bytes() == CONTENT
    assert fetch.fetch(file) == path
    assert mirror.requests == ["/numbers"]
    assert files_in(cache) == ["numbers.bin"]


def test_the_users_folder_comes_first_and_is_not_written(
    mirror: Mirror, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = data_file(mirror.url("/numbers", sends(CONTENT)))
    fetch.fetch(file)
    mine = tmp_path / "mine"
    (mine / "toy").mkdir(parents=True)
    monkeypatch.setenv(DATA_VARIABLE, str(mine))
    assert fetch.fetch(file) == cache / "toy" / "numbers.bin"  # not there: on to the cache
    assert files_in(mine) == []
    (mine / "toy" / "numbers.bin").write_bytes(CONTENT)
    assert fetch.fetch(file) == mine / "toy" / "numbers.bin"


def test_unpacked_and_newly_packed_copies_are_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = gzip.compress(CONTENT, 6, mtime=0)
    file = replace(
        data_file(content=packed, name="numbers.gz"),
        content=hashlib.sha256(CONTENT).hexdigest(),
        elsewhere=("Toy/raw/numbers.gz",),
    )
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    raw = tmp_path / "Toy" / "raw"
    raw.mkdir(parents=True)
    (raw / "numbers").write_bytes(CONTENT)
    assert fetch.fetch(file) == raw / "numbers"
    (raw / "numbers.gz").write_bytes(gzip.compress(CONTENT, 1, mtime=7))
    assert fetch.fetch(file) == raw / "numbers.gz"
    (raw / "numbers.gz").write_bytes(packed[:-50])
    with pytest.raises(DataError, match="damaged"):
        fetch.fetch(file)


def test_a_damaged_file_in_the_users_folder_is_an_error_and_stays(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = data_file(mirror.url("/numbers", sends(CONTENT)))
    mine = tmp_path / "mine" / "toy" / "numbers.bin"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(CONTENT[:-1] + b"?")
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "mine"))
    with pytest.raises(DataError, match="damaged") as caught:
        fetch.fetch(file)
    assert str(mine) in str(caught.value) and file.sha256 in str(caught.value)
    assert mine.read_bytes() == CONTENT[:-1] + b"?"
    assert mirror.requests == []


def test_a_file_that_is_damaged_after_it_was_checked_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "toy" / "numbers.bin"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(CONTENT)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    assert fetch.fetch(data_file()) == mine
    mine.write_bytes(b"short")
    with pytest.raises(DataError, match="damaged"):
        fetch.fetch(data_file())


def test_a_damaged_file_in_the_cache_is_fetched_again(mirror: Mirror, cache: Path) -> None:
    file = data_file(mirror.url("/numbers", sends(CONTENT)))
    path = cache / "toy" / "numbers.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half a fi")
    with pytest.warns(DataWarning, match="damaged"):
        fetch.fetch(file)
    assert path.read_bytes() == CONTENT
    path.write_bytes(b"half a fi")
    with pytest.raises(DataError, match="damaged"):
        fetch.fetch(file, download=False)


def test_the_next_mirror_is_tried(mirror: Mirror, cache: Path) -> None:
    file = data_file(
        mirror.url("/gone", fails(404)),
        mirror.url("/corrupt", sends(CONTENT[::-1])),
        mirror.url("/cut", sends(CONTENT[:5000], length=len(CONTENT))),
        mirror.url("/good", sends(CONTENT)),
        mirror.url("/unneeded", sends(CONTENT)),
    )
    assert fetch.fetch(file).read_bytes() == CONTENT
    assert mirror.requests == ["/gone", "/corrupt", "/cut", "/good"]
    assert files_in(cache) == ["numbers.bin"]


def test_one_error_lists_every_mirror_and_says_what_to_do(mirror: Mirror, cache: Path) -> None:
    page = b"<html>please log in</html>"
    file = data_file(
        mirror.url("/gone", fails(404)),
        mirror.url("/down", fails(503)),
        mirror.url("/page", sends(page)),
        mirror.url("/cut", sends(CONTENT[:5000], length=len(CONTENT))),
        mirror.url("/endless", sends(CONTENT + b"more")),
        "http://127.0.0.1:9/refused",
        "no-such-scheme://x",
    )
    with pytest.raises(DataError) as caught:
        fetch.fetch(file)
    message = str(caught.value)
    for mirror_address in file.mirrors:
        assert mirror_address in message
    for reason in (
        "HTTP 404",
        "HTTP 503",
        f"sent {len(page)} bytes",
        "broke off after 5,000 of 204,800 bytes",
        "more than the expected 204,800 bytes",
        "refused",
        "unknown url type",
    ):
        assert reason in message
    for help_ in (str(cache / "toy" / "numbers.bin"), file.sha256, DATA_VARIABLE, MIRROR_VARIABLE):
        assert help_ in message
    assert files_in(cache) == []


def test_download_false_asks_nobody(mirror: Mirror) -> None:
    file = data_file(mirror.url("/numbers", sends(CONTENT)))
    with pytest.raises(DataError, match="download is off"):
        fetch.fetch(file, download=False)
    assert mirror.requests == []


def test_a_silent_or_crawling_mirror_is_left(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT", 0.3)
    monkeypatch.setattr(fetch, "WINDOW", 0.3)
    monkeypatch.setattr(fetch, "SLOWEST", 1e6)
    file = data_file(
        mirror.url("/silent", drips(CONTENT, 2, 1.0)),
        mirror.url("/crawling", drips(CONTENT, 200, 0.01)),
    )
    with pytest.raises(DataError, match=r"no answer for[\s\S]*sent only"):
        fetch.fetch(file)


def test_the_users_mirror_is_tried_first(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror.url("/mine/toy/numbers.bin", sends(CONTENT))
    monkeypatch.setenv(MIRROR_VARIABLE, mirror.address + "/mine/")
    fetch.fetch(data_file(mirror.url("/other", sends(CONTENT))))
    assert mirror.requests == ["/mine/toy/numbers.bin"]


def test_a_wrong_users_folder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "typo"))
    with pytest.raises(DataError, match="not a folder"):
        fetch.fetch(data_file())


# Nothing half-written


def test_ctrl_c_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def blocks(mirror: str, size: int) -> Iterator[bytes]:
        yield CONTENT[:1000]
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "_blocks", blocks)
    with pytest.raises(KeyboardInterrupt):
        fetch.fetch(data_file("http://nobody"))
    assert files_in(cache) == []


def test_a_full_disk_is_one_clear_error(
    mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    file = data_file(mirror.url("/a", sends(CONTENT)), mirror.url("/b", sends(CONTENT)))
    with pytest.raises(DataError, match=r"no room for toy/numbers\.bin"):
        fetch.fetch(file)
    assert mirror.requests == ["/a"]  # another mirror would not help
    assert files_in(cache) == []


def test_a_cache_that_cannot_be_written_is_one_clear_error(mirror: Mirror, cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    with pytest.raises(DataError, match="cannot be written"):
        fetch.fetch(data_file(mirror.url("/numbers", sends(CONTENT))))


PROGRAM = textwrap.dedent("""
    import sys
    from pathlib import Path
    from chainrule.datasets.fetch import DataFile, fetch
    target, url, sha256, size = sys.argv[1:]
    file = DataFile("toy", "numbers.bin", sha256, int(size), (url,))
    fetch(file, root=Path(target).parent / "nothing", into=Path(target))
""")


def download_in_another_process(file: DataFile, target: Path) -> subprocess.Popen[bytes]:
    arguments = [str(target), file.mirrors[0], file.sha256, str(file.size)]
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "XDG_CACHE_HOME": str(target.parent)}
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], env=environment)


def test_a_killed_process_leaves_no_file_under_the_real_name(
    mirror: Mirror, tmp_path: Path
) -> None:
    target = tmp_path / "killed" / "numbers.bin"
    file = data_file(mirror.url("/slow", drips(CONTENT, 50, 0.1)))
    process = download_in_another_process(file, target)
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob("killed/*.part")) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)  # in the middle of the file
    process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    process.wait()
    assert not target.exists()
    (part,) = tmp_path.glob("killed/*.part")
    os.utime(part, (0, 0))  # long ago
    mirror.url("/slow", sends(CONTENT))
    assert fetch.fetch(file, into=target).read_bytes() == CONTENT
    assert files_in(target.parent) == ["numbers.bin"]


def test_two_processes_at_once(mirror: Mirror, tmp_path: Path) -> None:
    target = tmp_path / "both" / "numbers.bin"
    file = data_file(mirror.url("/slow", drips(CONTENT, 10, 0.05)))
    processes = [download_in_another_process(file, target) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert target.read_bytes() == CONTENT
    assert files_in(target.parent) == ["numbers.bin"]


def test_a_terminal_gets_a_progress_bar(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()

    console = Console(file=screen, force_terminal=True, width=100)
    monkeypatch.setattr(fetch, "terminal", lambda: console)
    fetch.fetch(data_file(mirror.url("/numbers", sends(CONTENT))))
    assert "toy/numbers.bin" in screen.getvalue()


def test_every_real_file_has_a_checksum_and_several_mirrors() -> None:
    files = [
        *mnist.FILES["MNIST"].values(),
        *mnist.FILES["FashionMNIST"].values(),
        cifar10.ARCHIVE,
        imdb.REVIEWS,
        imdb.WORD_INDEX,
        sequences.SONAR,
    ]
    for file in files:
        assert len(file.sha256) == 64 and int(file.sha256, 16)
        assert len(file.mirrors) >= 2, file.key
        assert all(address.startswith(("https://", "http://")) for address in file.mirrors)
