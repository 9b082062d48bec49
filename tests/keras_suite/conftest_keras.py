"""What Keras's tests import from Keras's own conftest."""

from __future__ import annotations

import pytest


def skip_if_backend(given_backend: str, reason: str) -> pytest.MarkDecorator:
    from chainrule.keras import backend

    return pytest.mark.skipif(backend.backend() == given_backend, reason=reason)
