"""Random graphs and their gradients, compiled and by the reference, for as long as one likes.

python scripts/fuzz.py [minutes]
"""

from __future__ import annotations

import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "rewrite"), str(ROOT / "tests" / "backends")]

from hypothesis import HealthCheck, given, settings  # noqa: E402  # after the path is set
from hypothesis import strategies as st  # noqa: E402
from random_graphs import graphs  # noqa: E402
from test_fuzz import compare  # noqa: E402

from chainrule import ops  # noqa: E402
from chainrule.autodiff import gradients  # noqa: E402


def main() -> None:
    end = time.monotonic() + 60 * float(sys.argv[1] if len(sys.argv) > 1 else 1)
    count = 0

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(graphs(), st.integers(0, 1 << 30), st.booleans())
    def one(graph: tuple, seed: int, derived: bool) -> None:
        nonlocal count
        count += 1
        inputs, outputs = graph
        if derived:
            outputs = [outputs[-1], *gradients(ops.sum(outputs[-1]), inputs)]
        compare(inputs, outputs, seed)

    while time.monotonic() < end:
        one()
    print(f"{count} graphs agree")


if __name__ == "__main__":
    main()
