"""`make bench` does not rot: a side answers its orders, the tables have their form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def ask(*orders: dict[str, Any]) -> list[Any]:
    """The answers of chainrule's side."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.worker", "chainrule"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input="".join(json.dumps(order) + "\n" for order in orders),
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_side_answers_its_orders() -> None:
    steps = [
        {"do": do, "network": network, "count": 2}
        for network in ("mlp", "lstm", "transformer")
        for do in ("train", "infer")
    ]
    others = [
        {"do": "infer_one", "network": "mlp", "count": 2},
        {"do": "product", "m": 3, "k": 4, "n": 5, "count": 2},
        {"do": "loader", "rows": 100, "features": 2, "batch": 32, "count": 2},
    ]
    for order, answer in zip([*steps, *others], ask(*steps, *others), strict=True):
        assert len(answer["ok"]) == 2 and min(answer["ok"]) > 0, (order, answer)


def test_what_fails_is_said_and_the_side_goes_on() -> None:
    wrong, right = ask({"do": "train", "network": "none", "count": 1}, {"do": "version"})
    assert "KeyError" in wrong["error"] and right["ok"]


def test_the_command_lists_what_it_measures() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--only", "nothing"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "unknown: nothing" in done.stderr and "products" in done.stderr
