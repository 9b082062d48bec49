"""The variables of an optimizer: made, named, kept in the order of Keras's files; and numbers that
are counted in Python and shown as variables.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from chainrule.keras import initializers
from chainrule.keras.naming import name_scope
from chainrule.keras.variables import Shown, Variable


class Mirrored(Shown):
    """A number of the optimizer's as a variable."""

    _get: Callable[[], Any]
    _set: Callable[[Any], None]

    @classmethod
    def of(
        cls, get: Callable[[], Any], set: Callable[[Any], None], dtype: str, name: str
    ) -> Mirrored:
        made = cls(np.asarray(get()), dtype=dtype, trainable=False, name=name)
        made._get, made._set = get, set
        return made

    def _known(self) -> np.ndarray:
        return np.array(self._get(), self._dtype.np)

    def _go_on(self, value: Any) -> None:
        self._set(np.asarray(value.numpy() if hasattr(value, "numpy") else value).item())


class State:
    """What has variables, in an order that files know."""

    name: str
    built: bool
    generation: int  # changes with the tensors that hold the state
    _own: list[Variable]  # all but counts and rates

    @property
    def variables(self) -> list[Variable]:
        raise NotImplementedError

    def build(self, variables: Sequence[Variable]) -> None:
        raise NotImplementedError

    def add_variable(
        self,
        shape: Any,
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str | None = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        """A variable of the optimizer's state."""
        with name_scope(self.name, caller=self):
            variable = Variable(
                initializers.get(initializer),
                tuple(shape),
                dtype,
                trainable=False,
                aggregation=aggregation,
                name=name,
            )
        self._own.append(variable)
        self.generation += 1
        return variable

    def add_variable_from_reference(
        self, reference_variable: Any, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """A variable of the state with the shape and the type of another one."""
        path = getattr(reference_variable, "path", None) or str(reference_variable.name)
        return self.add_variable(
            reference_variable.shape,
            initializer,
            reference_variable.dtype,
            name=f"{path.replace('/', '_').replace(':', '_')}_{name or 'var'}",
        )

    def add_optimizer_variables(
        self, trainable_variables: Iterable[Any], name: Any, initializer: Any = "zeros"
    ) -> Any:
        """A list of state variables for each name, one for each trainable variable."""
        names = [name] if isinstance(name, str) else list(name)
        starts = list(initializer) if isinstance(initializer, list | tuple) else [initializer]
        if len(starts) == 1:
            starts *= len(names)
        if len(starts) != len(names):
            raise ValueError(
                "The number of provided names must match the number of provided initializers. "
                f"Received name={name!r}, initializer={initializer!r}"
            )
        made: list[list[Variable | None]] = [[] for _ in names]
        for variable in trainable_variables:
            for into, one, start in zip(made, names, starts, strict=True):
                into.append(
                    None
                    if getattr(variable, "overwrite_with_gradient", False)
                    else self.add_variable_from_reference(variable, one, start)
                )
        return made[0] if isinstance(name, str) else tuple(made)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Take values for `variables`, in their order."""
        if not self.built:
            raise ValueError(
                "You are calling `set_weights()` on an optimizer that has not yet been built; call "
                "`optimizer.build(trainable_variables)` first"
            )
        for variable, weight in zip(self.variables, weights, strict=False):
            if tuple(variable.shape) != tuple(weight.shape):
                raise ValueError(
                    f"Optimizer variable {variable.path} has shape {tuple(variable.shape)}, not "
                    f"compatible with the given shape {tuple(weight.shape)}"
                )
            variable.assign(weight)

    def save_own_variables(self, store: Any) -> None:
        """Write the state into a dictionary of arrays."""
        for i, variable in enumerate(self.variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Take what `save_own_variables` wrote."""
        variables = self.variables
        if len(store.keys()) != len(variables):
            warnings.warn(
                f"Skipping variable loading for optimizer '{self.name}', because it has "
                f"{len(variables)} variables whereas the saved optimizer has {len(store.keys())} "
                "variables.",
                stacklevel=2,
            )
            return
        for i, variable in enumerate(variables):
            variable.assign(np.asarray(store[str(i)]))

    def get_state(self) -> dict[str, Any]:
        """Everything that a run needs to go on: arrays."""
        return {"variables": [np.array(v.numpy()) for v in self.variables]}

    def set_state(self, state: dict[str, Any], variables: Sequence[Variable]) -> None:
        """Take what `get_state` gave, for the same variables in the same order."""
        self.build(list(variables))
        if len(state["variables"]) != len(self.variables):
            raise ValueError(
                f"the saved optimizer has {len(state['variables'])} variables, this one "
                f"{len(self.variables)}"
            )
        self.set_weights(state["variables"])
