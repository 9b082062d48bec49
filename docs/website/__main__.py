"""python -m website FOLDER [--lang en|zh|both]"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from website.build import build


def main() -> None:
    parser = argparse.ArgumentParser(prog="website", description="Write the documentation as HTML.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lang", choices=("en", "zh", "both"), default="both")
    given = parser.parse_args()
    start = time.perf_counter()
    site = build(given.folder, ("en", "zh") if given.lang == "both" else (given.lang,))
    seconds = time.perf_counter() - start
    print(f"{len(site.pages)} pages in {seconds:.0f} s: {given.folder / 'index.html'}")


main()
