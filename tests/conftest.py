"""What all tests start from."""

import pytest

from chainrule import config


@pytest.fixture(autouse=True)
def _compiled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test runs a program once or twice: what it tests shall be the compiled one."""
    monkeypatch.setattr(config, "patience", 0)
