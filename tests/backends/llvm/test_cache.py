"""The cache of compiled code: whatever lies there, whoever writes, programs run."""

import errno
import os
import pathlib
import signal
import subprocess
import sys
import time
import warnings

import pytest

from chainrule.backends.llvm import cache as room
from chainrule.backends.llvm.cache import Cache, CacheWarning, cache

KEY = "ab" + "0" * 38
OTHER = "ab" + "1" * 38
CODE = b"\x7fELF" + bytes(range(256)) * 20


@pytest.fixture
def kept(tmp_path: pathlib.Path) -> Cache:
    return Cache(tmp_path / "code", 1 << 20)


@pytest.fixture(autouse=True)
def not_yet_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_warned", False)


def test_what_was_put_comes_back(kept: Cache) -> None:
    assert kept.get(KEY) is None
    kept.put(KEY, CODE)
    assert kept.get(KEY) == CODE
    assert kept.get(OTHER) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda e: b"",
        lambda e: e[:10],
        lambda e: e[:-1],
        lambda e: e + b"\0",
        lambda e: e[:200] + bytes([e[200] ^ 1]) + e[201:],
        lambda e: e[:30] + bytes([e[30] ^ 1]) + e[31:],
        lambda e: b"chainrule code 0" + e[16:],
        lambda e: b"something else altogether",
        lambda e: bytes(len(e)),
    ],
    ids=["empty", "head cut", "end cut", "longer", "code", "head", "version", "foreign", "zeros"],
)
def test_a_damaged_entry_is_ignored_and_rewritten(kept: Cache, damage: object) -> None:
    kept.put(KEY, CODE)
    path = kept.path(KEY)
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]  # one of the above
    assert kept.get(KEY) is None
    kept.put(KEY, CODE)
    assert kept.get(KEY) == CODE


def test_an_entry_in_the_wrong_place_is_no_entry(kept: Cache) -> None:
    kept.put(KEY, CODE)
    os.rename(kept.path(KEY), kept.path(OTHER))
    assert kept.get(OTHER) is None


def test_a_folder_in_an_entrys_place_costs_a_warning_and_nothing_else(kept: Cache) -> None:
    kept.path(KEY).mkdir(parents=True)
    assert kept.get(KEY) is None
    with pytest.warns(CacheWarning):
        kept.put(KEY, CODE)
    assert kept.get(KEY) is None


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("where", ["mkdir", "open", "replace"])
def test_a_folder_that_cannot_be_written_costs_one_warning(
    kept: Cache, monkeypatch: pytest.MonkeyPatch, code: int, where: str
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OSError(code, os.strerror(code))

    if where == "mkdir":
        monkeypatch.setattr(pathlib.Path, "mkdir", refuse)
    elif where == "open":
        monkeypatch.setattr("builtins.open", refuse)
    else:
        monkeypatch.setattr(os, "replace", refuse)
    with pytest.warns(CacheWarning, match=os.strerror(code)) as caught:
        kept.put(KEY, CODE)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept.put(OTHER, CODE)
        assert kept.get(KEY) is None
    monkeypatch.undo()
    assert not list(kept.folder.rglob("*partial"))


def test_a_full_disk_in_the_middle_of_an_entry(
    kept: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def __init__(self, file: object) -> None:
            self.file = file

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()  # type: ignore[attr-defined]

        def write(self, data: bytes) -> None:
            self.file.write(data[:100])  # type: ignore[attr-defined]
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    real = open
    monkeypatch.setattr("builtins.open", lambda *a, **k: Full(real(*a, **k)))
    with pytest.warns(CacheWarning, match="space"):
        kept.put(KEY, CODE)
    monkeypatch.undo()
    assert kept.get(KEY) is None
    assert not [f for f in kept.folder.rglob("*") if f.is_file()]


def test_a_folder_under_a_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    impossible = Cache(tmp_path / "file" / "code", 1 << 20)
    assert impossible.get(KEY) is None
    with pytest.warns(CacheWarning):
        impossible.put(KEY, CODE)


def test_the_least_recently_used_go(tmp_path: pathlib.Path) -> None:
    small = Cache(tmp_path, 20 * 5200)
    keys = [f"{i:02x}" + "f" * 38 for i in range(40)]
    now = time.time()
    for i, key in enumerate(keys):
        small.put(key, CODE)
        if small.path(key).exists():
            os.utime(small.path(key), (now - 9000 + i, now - 9000 + i))
            small.get(keys[0])  # always in use
    small.tidy()
    held = [key for key in keys if small.get(key)]
    assert keys[0] in held
    assert held[1:] == keys[-len(held) + 1 :]
    assert 10 <= len(held) <= 20


def test_what_dead_writers_left_is_cleared(kept: Cache) -> None:
    kept.put(KEY, CODE)
    old, young = (kept.path(KEY).with_name(f"x.{i}.partial") for i in (1, 2))
    for partial in (old, young):
        partial.write_bytes(b"half")
    os.utime(old, (1e9, 1e9))
    kept.tidy()
    assert not old.exists() and young.exists() and kept.get(KEY) == CODE


def test_a_folder_is_looked_over_once_a_day(kept: Cache) -> None:
    kept.put(KEY, CODE)
    stale = kept.path(KEY).with_name("x.1.partial")
    stale.write_bytes(b"half")
    os.utime(stale, (1e9, 1e9))
    kept.put(OTHER, CODE)
    assert stale.exists()
    os.utime(kept.folder / "tidied", (1e9, 1e9))
    kept.put(OTHER, CODE)
    assert not stale.exists()


def test_the_environment_names_the_folder(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "mine"))
    monkeypatch.setenv("CHAINRULE_CACHE_SIZE", "3")
    here = cache()
    assert here is not None and here is cache()
    assert here.folder == tmp_path / "mine" / "code" and here.limit == 3 << 20
    monkeypatch.setenv("CHAINRULE_CACHE", "off")
    assert cache() is None
    monkeypatch.delenv("CHAINRULE_CACHE")
    usual = cache()
    assert usual is not None and "chainrule" in usual.folder.parts


def test_entries_are_private(kept: Cache) -> None:
    if os.name != "posix":
        pytest.skip("no modes")
    kept.put(KEY, CODE)
    assert kept.folder.stat().st_mode & 0o077 == 0


WRITER = """
import sys, pathlib
from chainrule.backends.llvm.cache import Cache
kept = Cache(pathlib.Path(sys.argv[1]), 1 << 16)
code = bytes([int(sys.argv[2])]) * 3000
for i in range(400):
    key = f"{i % 20:02x}" + "e" * 38
    kept.put(key, code)
    found = kept.get(key)
    assert found is None or (len(found) == 3000 and len(set(found)) == 1), found
"""


def test_several_processes_at_once(tmp_path: pathlib.Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", WRITER, str(tmp_path), str(n)])
        for n in range(3)
    ]
    assert [w.wait(120) for w in writers] == [0, 0, 0]


KILLED = """
import os, signal, sys, pathlib
from chainrule.backends.llvm.cache import Cache
write = os.replace
def dies(*_):
    os.kill(os.getpid(), signal.SIGKILL)
os.replace = dies
Cache(pathlib.Path(sys.argv[1]), 1 << 20).put(sys.argv[2], b"new" * 1000)
"""


@pytest.mark.skipif(os.name != "posix", reason="no SIGKILL")
def test_a_writer_killed_in_the_middle(kept: Cache) -> None:
    kept.put(KEY, CODE)
    for key in (KEY, OTHER):
        run = subprocess.run([sys.executable, "-c", KILLED, str(kept.folder), key], check=False)
        assert run.returncode == -signal.SIGKILL
    assert kept.get(KEY) == CODE and kept.get(OTHER) is None
    assert list(kept.folder.rglob("*.partial"))
    kept.put(OTHER, CODE)
    assert kept.get(OTHER) == CODE
