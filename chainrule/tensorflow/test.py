"""`tf.test`: is there a GPU? There is none."""

from __future__ import annotations

import unittest
from typing import Any

import numpy as np

from chainrule.names import later


def is_gpu_available(cuda_only: bool = False, min_cuda_compute_capability: Any = None) -> bool:
    """Whether there is a GPU: no."""
    return False


def gpu_device_name() -> str:
    """The name of the GPU: none."""
    return ""


def is_built_with_cuda() -> bool:
    return False


class TestCase(unittest.TestCase):
    """A test with comparisons of arrays."""

    def assertAllClose(self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6) -> None:
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol, atol)

    def assertAllEqual(self, a: Any, b: Any) -> None:
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


main = unittest.main
__getattr__ = later(__name__)
