"""`keras.src.utils`: helpers that Keras's tests use and programs do not."""

from __future__ import annotations

removesuffix = str.removesuffix
