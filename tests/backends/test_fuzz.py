"""Graphs that nobody wrote, and their gradients: compiled as by the reference. `scripts/fuzz.py`
runs as many as it is given time for.
"""

import pytest
from agreement import check

from chainrule import dtypes


@pytest.mark.parametrize("seed", range(24))
def test_random_graphs(seed: int) -> None:
    check(seed, dtypes.float64)


@pytest.mark.parametrize("seed", range(100, 112))
def test_random_graphs_of_float32(seed: int) -> None:
    check(seed, dtypes.float32)
