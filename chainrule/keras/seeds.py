"""SeedGenerator: a source of chance with a state that is a variable: a seed, and how much of its
stream was used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.keras.naming import auto_name, name_scope
from chainrule.keras.registry import known
from chainrule.keras.variables import Shown
from chainrule.runtime.random import Generator, stream
from chainrule.tensor import Tensor, fromdata


class SeedState(Shown):
    """(seed, position) of a generator; assigning to it makes the generator go on there."""

    generator: Generator

    def _known(self) -> np.ndarray:
        return np.array([self.generator.initial_seed(), self.generator.position], np.int64)

    def _go_on(self, value: Any) -> None:
        seed, position = (int(n) for n in np.asarray(value).reshape(-1))
        self.generator.manual_seed(seed)
        self.generator.position = position


@known
class SeedGenerator:
    """Gives other numbers at each use, the same ones for the same seed.

    `keras.random` functions take it as their `seed`. Layers that keep one in an attribute have its
    state among their variables.

    >>> a, b = SeedGenerator(7), SeedGenerator(7)
    >>> a.next().tolist() == b.next().tolist()
    True
    """

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        kwargs.pop("backend", None)
        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments: {kwargs}")
        self.name = name or auto_name(type(self).__name__)
        self.seed = self._initial_seed = seed
        if seed is None:
            seed = int(stream("dropout").numpy().integers(0, 2**31))
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
            raise ValueError(f"Argument `seed` must be an integer. Received: seed={seed}")
        self.generator = Generator(seed=int(seed))
        self.generator.lasting = True
        with name_scope(self.name, caller=self):
            self.state = SeedState(
                np.array([seed, 0]), dtype="int64", trainable=False, name="seed_generator_state"
            )
        self.state.generator = self.generator

    def next(self, ordered: bool = True) -> Tensor:
        """Two numbers that seed something else."""
        return fromdata.from_owned(self.generator.numpy().integers(0, 2**31, 2))

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        return cls(**config)

    def __deepcopy__(self, memo: dict[int, Any]) -> SeedGenerator:
        made: SeedGenerator = _copied(self.get_config(), self.state.numpy())
        memo[id(self)], memo[id(self.state)] = made, made.state
        return made

    def __reduce__(self) -> Any:
        return _copied, (self.get_config(), self.state.numpy())


def _copied(config: dict[str, Any], state: np.ndarray) -> SeedGenerator:
    made = SeedGenerator.from_config(config)
    made.state.assign(state)
    return made
