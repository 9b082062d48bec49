"""pytest's plugin for a run of Keras's own tests: `-p keras_suite.plugin`, KERAS_TESTS=folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from keras_suite import shim

shim.install(Path(os.environ["KERAS_TESTS"]))


def pytest_configure(config: pytest.Config) -> None:
    for marker in ("requires_trainable_backend", "multi_device", "skipif_backend"):
        config.addinivalue_line("markers", f"{marker}: Keras's own")
