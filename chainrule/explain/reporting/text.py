"""What a model of language writes: letter after letter, each drawn from what it says comes next."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.explain.reporting.evaluation import asked, probabilities

Array = np.ndarray


def continued(
    model: Any, prompts: Array, count: int, *, temperature: float = 0.8, seed: int = 0
) -> Array:
    """`count` codes after each row of prompts (rows, steps), drawn with the model's probabilities.

    The model sees the last `steps` codes, so that every call is the same program. `temperature`
    below 1 prefers what is probable.
    """
    rng = np.random.default_rng(seed)
    steps = prompts.shape[1]
    codes = np.array(prompts)
    with asked(model) as ask:
        for _ in range(count):
            out = ask(codes[:, -steps:], slice(None))
            last = out[:, :, -1] if out.shape[2] == steps and out.shape[1] != steps else out[:, -1]
            p = probabilities(np.log(np.maximum(probabilities(last), 1e-30)) / temperature)
            drawn = (p.cumsum(-1) > rng.random((len(p), 1))).argmax(-1)
            codes = np.concatenate([codes, drawn[:, None].astype(codes.dtype)], axis=1)
    return codes[:, steps:]
