"""Random graphs and their gradients, compiled and by the reference, for as long as one likes.

    python scripts/fuzz.py [minutes [first seed]]

Says which seeds disagree, and goes on; ends with 1 if one did.
"""

from __future__ import annotations

import pathlib
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "backends")]

from agreement import check  # noqa: E402  # after the path is set

from chainrule import dtypes  # noqa: E402


def main() -> int:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    first = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns() // 1_000_000
    end, seed, bad = time.monotonic() + 60 * minutes, first, 0
    while time.monotonic() < end:
        dtype = dtypes.float64 if seed % 3 else dtypes.float32
        try:
            check(seed, dtype)
        except Exception:
            bad += 1
            print(f"seed {seed}, {dtype}:\n{traceback.format_exc(limit=-4)}", flush=True)
        seed += 1
    print(f"{seed - first} graphs from seed {first}: {bad} disagree")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
