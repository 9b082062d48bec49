"""`keras.testing`: what tests of layers are written with.

>>> from chainrule import keras
>>> class Sums(keras.testing.TestCase):
...     def test_sum(self):
...         self.assertAllClose(keras.ops.sum([1.0, 2.0]), 3.0)
"""

from __future__ import annotations

import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.keras.ops import convert_to_numpy
from chainrule.keras.settings import standardize_dtype

__all__ = ["TestCase"]


class TestCase(unittest.TestCase):
    """`unittest.TestCase` with assertions about arrays, tensors and files."""

    maxDiff = None

    def get_temp_dir(self) -> str:
        """A folder that is removed after the test."""
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def assertAllClose(
        self, x1: Any, x2: Any, atol: float = 1e-6, rtol: float = 1e-6, msg: str | None = None
    ) -> None:
        """|x1 − x2| ≤ atol + rtol |x2|, element by element."""
        np.testing.assert_allclose(_array(x1), _array(x2), rtol, atol, err_msg=msg or "")

    def assertNotAllClose(
        self, x1: Any, x2: Any, atol: float = 1e-6, rtol: float = 1e-6, msg: str | None = None
    ) -> None:
        """Some element is further away than `assertAllClose` allows."""
        if np.allclose(_array(x1), _array(x2), rtol, atol):
            raise AssertionError(msg or f"all elements are close:\n{x1}\n{x2}")

    def assertAlmostEqual(  # type: ignore[override]  # of arrays, as in Keras
        self, x1: Any, x2: Any, decimal: int = 3, msg: str | None = None
    ) -> None:
        """|x1 − x2| < 1.5 · 10^−decimal, element by element."""
        np.testing.assert_almost_equal(_array(x1), _array(x2), decimal, err_msg=msg or "")

    def assertAllEqual(self, x1: Any, x2: Any, msg: str | None = None) -> None:
        """Equal shapes and elements."""
        np.testing.assert_array_equal(_array(x1), _array(x2), err_msg=msg or "")

    def assertLen(self, iterable: Any, expected_len: int, msg: str | None = None) -> None:
        self.assertEqual(len(iterable), expected_len, msg=msg)

    def assertDType(self, x: Any, dtype: Any, msg: str | None = None) -> None:
        """The element type, by any of its names."""
        self.assertEqual(standardize_dtype(x.dtype), standardize_dtype(dtype), msg=msg)

    def assertFileExists(self, path: Any) -> None:
        self.assertTrue(Path(path).is_file(), f"there is no file {path}")


def _array(x: Any) -> np.ndarray:
    return np.asarray(convert_to_numpy(x))
