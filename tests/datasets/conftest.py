"""A cache of its own for every test, a local mirror that can misbehave, and the real data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest
from local_mirror import Mirror, serving

from chainrule.datasets.fetch import DATA_VARIABLE, MIRROR_VARIABLE

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no variables of the user's."""
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    folder = tmp_path / "cache"
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: folder / name)
    return folder / "chainrule" / "data"


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the real data, named by CHAINRULE_DATA."""
    if not (SHARED / "MANIFEST.md").is_file():
        pytest.skip(f"the real data sets are not in {SHARED}")
    monkeypatch.setenv(DATA_VARIABLE, str(SHARED))
    return SHARED


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    """A mirror on this machine."""
    with serving() as served:
        yield served
