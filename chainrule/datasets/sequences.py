"""Real sequences with two classes: sonar echoes of rocks and of a metal cylinder.

R. P. Gorman, T. J. Sejnowski: Analysis of Hidden Units in a Layered Network Trained to Classify
Sonar Targets, Neural Networks 1, 1988; UCI Machine Learning Repository,
https://doi.org/10.24432/C5T01Q, CC BY 4.0.

An echo is 60 numbers, the energy in 60 frequency bands. The sonar sends a rising chirp, so that the
higher bands are measured later: the 60 numbers are a course of time. They are given here as six
steps of ten bands each.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from chainrule.datasets.fetch import DataFile, fetch
from chainrule.datasets.formats import Array
from chainrule.errors import DataError

SONAR = DataFile(
    folder="uci",
    name="sonar.csv",
    sha256="3079c09b5d2789a0f96aff82c28e5164fafe2495c5f8da96c6c256c1bd25763f",
    size=87775,
    mirrors=(
        "https://raw.githubusercontent.com/jbrownlee/Datasets/master/sonar.csv",
        "https://cdn.jsdelivr.net/gh/jbrownlee/Datasets@master/sonar.csv",
    ),
)

SONAR_CLASSES = ["rock", "mine"]
STEPS, FEATURES = 6, 10


def load_sonar(split: str = "all", *, download: bool = True) -> tuple[Array, Array]:
    """Sonar echoes (n, 6, 10), float32 in [0, 1], and classes (n,), int64: 0 = rock, 1 = mine.

    `split` is "all" (208 echoes), "test" (every fifth, 42) or "train" (the others, 166); the file
    is sorted by class, so that every fifth keeps their proportion.
    """
    if split not in ("all", "train", "test"):
        raise ValueError(f"split is {split!r}; expected 'all', 'train' or 'test'")
    path = fetch(SONAR, download=download)
    echoes, classes = _read(path)
    chosen = np.ones(len(classes), dtype=bool)
    if split != "all":
        chosen = (np.arange(len(classes)) % 5 == 0) == (split == "test")
    return echoes[chosen], classes[chosen]


def _read(path: Path) -> tuple[Array, Array]:
    with path.open(newline="", encoding="ascii") as stream:
        rows = list(csv.reader(stream))
    try:
        echoes = np.array([row[:-1] for row in rows], dtype=np.float32)
        classes = np.array([{"R": 0, "M": 1}[row[-1]] for row in rows], dtype=np.int64)
        return echoes.reshape(-1, STEPS, FEATURES), classes
    except (ValueError, KeyError, IndexError) as error:
        raise DataError(
            f"{path} should have 60 numbers and R or M in every row: {error}"
        ) from error
