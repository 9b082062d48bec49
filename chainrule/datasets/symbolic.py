"""Small symbolic tasks with known answers: sequences of digits, written out and answered.

    sort      3 1 4 1 5 → 1 1 3 4 5
    reverse   3 1 4 1 5 → 5 1 4 1 3

A row is question and answer in one, k + k digits. A network reads all but the last and says at each
place what comes next; only the k places of the answer count, the others are `IGNORED`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule.datasets.formats import Array

#: The target where nothing is asked: what a cross-entropy leaves out by default.
IGNORED = -100

ANSWERS: dict[str, Callable[[Array], Array]] = {
    "sort": lambda digits: np.sort(digits, axis=1),
    "reverse": lambda digits: digits[:, ::-1],
}


def load_symbolic(task: str, count: int, *, length: int = 5, seed: int = 0) -> tuple[Array, Array]:
    """`count` different questions of `length` digits: inputs and targets, int64, both
    (count, 2·length − 1).

    Rows are drawn without repetition, so that a part of them that is held back is truly unseen.

    >>> x, y = load_symbolic("sort", 100_000)
    >>> row = (x[:, :5] == [3, 1, 4, 1, 5]).all(axis=1).argmax()
    >>> x[row].tolist(), y[row].tolist()
    ([3, 1, 4, 1, 5, 1, 1, 3, 4], [-100, -100, -100, -100, 1, 1, 3, 4, 5])
    """
    if task not in ANSWERS:
        raise ValueError(f"task is {task!r}; expected one of {', '.join(ANSWERS)}")
    if not 0 < count <= 10**length:
        raise ValueError(
            f"there are {10**length:,} questions of {length} digits; {count:,} were asked for"
        )
    numbers = np.random.default_rng(seed).choice(10**length, count, replace=False)
    digits = numbers[:, None] // 10 ** np.arange(length)[::-1] % 10  # (count, length)
    rows = np.concatenate([digits, ANSWERS[task](digits)], axis=1)
    targets = rows[:, 1:].copy()
    targets[:, : length - 1] = IGNORED
    return np.ascontiguousarray(rows[:, :-1]), targets
