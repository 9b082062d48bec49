"""Optimizer: Keras's manners (variables given when they are known, clipping, decay) over the update
formulas.

A subclass names its state (`slots`) and records one variable's update. Numbers that change from
step to step are data of the recorded program, so that every step finds the same one. `apply`
computes what was recorded.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from chainrule import dtypes
from chainrule.keras.naming import auto_name
from chainrule.keras.optimizers.schedules import LearningRateSchedule
from chainrule.keras.registry import to_config
from chainrule.keras.variables import Variable
from chainrule.tensor import Tensor, creation, flush, no_grad
from chainrule.tensor import functions as T
from chainrule.tensor.creation import varying


class Optimizer:
    """Base class. `apply_gradients([(gradient, variable), …])` changes the variables once.

    `clipnorm` bounds the norm of each gradient, `global_clipnorm` the norm of all together,
    `clipvalue` each element. `weight_decay` shrinks a variable by learning_rate · weight_decay
    before each update.
    """

    #: Names of the tensors that the optimiser keeps for each variable (options may add some).
    slots: tuple[str, ...] = ()

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if "lr" in kwargs:  # Keras 2's name
            learning_rate = kwargs.pop("lr")
        if kwargs.pop("decay", None):
            warnings.warn(
                "`decay` is no argument of Keras 3 and is ignored; use a learning rate schedule",
                stacklevel=3,
            )
        kwargs.pop("jit_compile", None)
        if kwargs:
            raise ValueError(
                f"{type(self).__name__} does not know the argument(s) "
                f"{', '.join(map(repr, kwargs))}"
            )
        if sum(c is not None for c in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError("give one of clipnorm, clipvalue and global_clipnorm")
        for option, value in {"clipnorm": clipnorm, "clipvalue": clipvalue,
                              "global_clipnorm": global_clipnorm}.items():  # fmt: skip
            if value is not None and value <= 0:
                raise ValueError(f"{option} must be positive, got {value}")
        if gradient_accumulation_steps is not None and gradient_accumulation_steps < 2:
            raise ValueError("gradient_accumulation_steps must be at least 2")
        self.name = name or auto_name(type(self).__name__)
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.built = False
        self._step = 0  # updates done
        self._calls = 0  # gradients given, more than updates where they are accumulated
        self._excluded: set[int] = set()
        self._excluded_names: tuple[str, ...] = ()
        self._state: dict[int, dict[str, Tensor]] = {}
        self._variables: list[Variable] = []
        self._schedule: Any = None
        self._next_rate: float | None = None  # of the step that has begun
        #: The numbers of the last step that was recorded, as it read them.
        self.recorded_numbers: dict[tuple[str, Any], Tensor] = {}
        self.generation = 0  # changes with the tensors that hold the state
        self._rate = Variable(np.zeros((), np.float32), trainable=False, name="learning_rate")
        self.learning_rate = learning_rate

    # learning rate --------------------------------------------------------------------------------

    @property
    def learning_rate(self) -> Any:
        """The rate of the next step: a variable that can be assigned, or a schedule's value."""
        if self._schedule is not None:
            self._rate.assign(np.float32(self._scheduled()))
        return self._rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(value, LearningRateSchedule) or (
            callable(value) and not isinstance(value, Tensor)
        ):
            self._schedule = value
            return
        if isinstance(value, dict):
            raise TypeError(
                "learning_rate must be a number or a schedule; use optimizers.deserialize"
            )
        if self._schedule is not None and self.built:
            raise TypeError(
                "this optimizer has a learning rate schedule: its learning rate cannot be set"
            )
        number = float(value)
        if number < 0:
            raise ValueError(f"learning_rate cannot be negative, got {number}")
        self._schedule = None
        self._rate.assign(np.float32(number))

    lr = learning_rate

    def _scheduled(self) -> float:
        schedule = self._schedule
        if isinstance(schedule, LearningRateSchedule):
            return float(schedule(creation.tensor(self._step)))
        return float(schedule())

    def _rate_now(self) -> float:
        return self._scheduled() if self._schedule is not None else float(self._rate.item())

    @property
    def iterations(self) -> Tensor:
        """How many updates were done."""
        return creation.tensor(self._step)

    # state ----------------------------------------------------------------------------------------

    def build(self, variables: Iterable[Variable]) -> None:
        """Make the state of these variables."""
        for variable in variables:
            if id(variable) not in self._state:
                self.generation += 1
                self._state[id(variable)] = self._first_state(variable)
                self._variables.append(variable)
        self.built = True

    def _first_state(self, variable: Variable) -> dict[str, Tensor]:
        state = {slot: self._zeros(variable) for slot in self.slots}
        if self.use_ema:
            state["average"] = creation.from_owned(np.array(variable.numpy()))
        if self.gradient_accumulation_steps:
            state["accumulated"] = self._zeros(variable)
        return state

    def _zeros(self, variable: Variable, value: float = 0.0) -> Tensor:
        return creation.from_owned(np.full(tuple(variable.shape), value, variable.dtype.np))

    @property
    def slot_tensors(self) -> list[Tensor]:
        """The state of all variables."""
        return [t for v in self._variables for t in self._state[id(v)].values()]

    @property
    def variables(self) -> list[Tensor]:
        """The count of updates, the learning rate, and the state of all variables."""
        return [self.iterations, self._rate, *self.slot_tensors]

    def get_state(self) -> dict[str, Any]:
        """Everything that a run needs to go on: plain numbers and arrays."""
        return {
            "step": self._step,
            "calls": self._calls,
            "rate": float(self._rate.item()),
            "extra": self._extra_state(),
            "slots": [
                {name: np.array(t.numpy()) for name, t in self._state[id(v)].items()}
                for v in self._variables
            ],
        }

    def set_state(self, state: dict[str, Any], variables: Sequence[Variable]) -> None:
        """Take what `get_state` gave, for the same variables in the same order."""
        self.build(variables)
        if len(state["slots"]) != len(self._variables):
            raise ValueError(
                f"the saved optimizer has state for {len(state['slots'])} variables, this one for "
                f"{len(self._variables)}"
            )
        self.generation += 1
        for variable, slots in zip(self._variables, state["slots"], strict=True):
            own = self._state[id(variable)]
            for name, value in slots.items():
                own[name] = creation.from_owned(np.array(value))
        self._step, self._calls = int(state["step"]), int(state["calls"])
        if self._schedule is None:
            self._rate.assign(np.float32(state["rate"]))
        self._take_extra_state(state["extra"])

    def _extra_state(self) -> dict[str, float]:
        return {}

    def _take_extra_state(self, state: dict[str, float]) -> None:
        """Numbers that a subclass keeps beside the slots."""

    # steps ----------------------------------------------------------------------------------------

    def apply_gradients(self, grads_and_vars: Iterable[Any]) -> None:
        """Change the variables once; pairs of (gradient, variable)."""
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [v for _, v in pairs])

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        """Change the variables once, and compute it."""
        variables = self._variables if trainable_variables is None else list(trainable_variables)
        self.record(list(grads), variables)
        flush()

    def record(self, grads: list[Any], variables: Sequence[Variable]) -> None:
        """Record one change of the variables without computing it. Empties `grads`."""
        if len(grads) != len(variables):
            raise ValueError(f"{len(grads)} gradients for {len(variables)} variables")
        pairs = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
        missing = [v.path for g, v in zip(grads, variables, strict=True) if g is None]
        grads.clear()
        if not pairs:
            raise ValueError(
                f"no gradient for any variable: {', '.join(missing) or 'there are none'}. The loss "
                "does not depend on them."
            )
        if missing and self._calls == 0:
            warnings.warn(
                f"no gradients for {', '.join(missing)}: the loss does not depend on them",
                stacklevel=3,
            )
        with no_grad():
            self.build([v for _, v in pairs])
            if self.loss_scale_factor is not None:
                pairs = [(g / self.loss_scale_factor, v) for g, v in pairs]
            pairs = self._accumulated(pairs)
            self._calls += 1
            if not pairs:
                return
            self._record(self._clipped(pairs))
            self._step += 1
            self._after(pairs)

    def begin(self) -> None:
        """Look at the learning rate before a step is recorded: a schedule's value is computed."""
        self._next_rate = self._rate_now()

    @property
    def repeatable(self) -> bool:
        """Whether all steps are recorded alike, but for the numbers of `numbers_now`."""
        return (
            type(self).__module__.startswith(__package__)
            and not self.use_ema
            and not self.gradient_accumulation_steps
        )

    def numbers_now(self) -> dict[tuple[str, Any], float]:
        """The values of `recorded_numbers` for the step that has begun, and count it."""
        lr = self._rate_now() if self._next_rate is None else self._next_rate
        self._next_rate = None
        values = self._numbers(lr) | self._decay(lr)
        self._calls += 1
        self._step += 1
        return {key: values[key[0]] for key in self.recorded_numbers}

    def _decay(self, lr: float) -> dict[str, float]:
        """What weights are multiplied with: those that decay, and those that do not."""
        return {"decay": 1.0 - lr * (self.weight_decay or 0.0), "no decay": 1.0}

    def _record(self, pairs: list[tuple[Tensor, Variable]]) -> None:
        lr = self._rate_now() if self._next_rate is None else self._next_rate
        self._next_rate = None
        made: dict[tuple[str, Any], Tensor] = {}
        numbers = self._numbers(lr)
        decay = self._decay(lr)
        for gradient, variable in pairs:
            dtype = variable.dtype

            def number(name: str, value: float, dtype: Any = dtype) -> Tensor:
                wide = dtypes.float32 if dtype.itemsize == 2 else dtype
                found = made.get((name, wide))
                if found is None:
                    found = made[name, wide] = varying(value, wide)
                return found

            name = "decay" if self._decays(variable) else "no decay"
            self._update(
                variable,
                gradient,
                self._state[id(variable)],
                {name: number(name, value) for name, value in numbers.items()}
                | {"decay": number(name, decay[name])},
            )
        self.recorded_numbers = made

    def _numbers(self, lr: float) -> dict[str, float]:
        """The numbers of this step by name; the learning rate is "lr"."""
        return {"lr": lr}

    def _update(
        self, p: Variable, g: Tensor, state: dict[str, Tensor], numbers: dict[str, Tensor]
    ) -> None:
        """Record the update of one variable."""
        raise NotImplementedError(f"{type(self).__name__} defines no update")

    def _decays(self, variable: Variable) -> bool:
        return (
            bool(self.weight_decay)
            and id(variable) not in self._excluded
            and not any(name in variable.path for name in self._excluded_names)
        )

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Name variables that weight decay leaves alone."""
        self._excluded |= {id(v) for v in var_list or ()}
        self._excluded_names = (*self._excluded_names, *(var_names or ()))

    def _clipped(self, pairs: list[tuple[Tensor, Variable]]) -> list[tuple[Tensor, Variable]]:
        if self.clipvalue is not None:
            return [(T.clamp(g, -self.clipvalue, self.clipvalue), v) for g, v in pairs]
        if self.clipnorm is not None:
            return [(_at_most(g, self.clipnorm, (g * g).sum()), v) for g, v in pairs]
        if self.global_clipnorm is not None:
            squares = sum((g * g).sum() for g, _ in pairs)
            return [(_at_most(g, self.global_clipnorm, squares), v) for g, v in pairs]
        return pairs

    def _accumulated(self, pairs: list[tuple[Tensor, Variable]]) -> list[tuple[Tensor, Variable]]:
        every = self.gradient_accumulation_steps
        if not every:
            return pairs
        due = (self._calls + 1) % every == 0
        out = []
        for gradient, variable in pairs:
            state = self._state[id(variable)]
            total = state["accumulated"] + gradient
            state["accumulated"] = self._zeros(variable) if due else total
            out.append((total / every, variable))
        return out if due else []

    def _after(self, pairs: list[tuple[Tensor, Variable]]) -> None:
        for _, variable in pairs:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable.detach()))
        if self.use_ema:
            for _, variable in pairs:
                state = self._state[id(variable)]
                m = self.ema_momentum
                state["average"] = m * state["average"] + (1.0 - m) * variable.detach()
            every = self.ema_overwrite_frequency
            if every and self._step % every == 0:
                self.finalize_variable_values([v for _, v in pairs])

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Give the variables their running averages, at the end of a run with `use_ema`."""
        if self.use_ema:
            for variable in var_list:
                if id(variable) in self._state:
                    variable.assign(self._state[id(variable)]["average"])

    def minimize(self, loss: Any, var_list: Any = None, tape: Any = None) -> None:
        """Differentiate a loss (or a function that gives one) and change the variables once."""
        value = loss() if callable(loss) and not isinstance(loss, Tensor) else loss
        variables = list(var_list if var_list is not None else self._variables)
        for variable in variables:
            variable.grad = None
        value.backward()
        grads = [v.grad for v in variables]
        for variable in variables:
            variable.grad = None
        self.apply(grads, variables)

    def scale_loss(self, loss: Tensor) -> Tensor:
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    # configuration --------------------------------------------------------------------------------

    _options: ClassVar[tuple[str, ...]] = ()

    def get_config(self) -> dict[str, Any]:
        rate = to_config(self._schedule) if self._schedule is not None else float(self._rate.item())
        names = (
            "name", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "use_ema",
            "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor",
            "gradient_accumulation_steps", *self._options,
        )  # fmt: skip
        return {"learning_rate": rate, **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Optimizer:
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _at_most(g: Tensor, norm: float, squares: Any) -> Tensor:
    """g scaled down where the square of its norm is beyond norm²."""
    return g * (norm / T.clamp(T.sqrt(squares), min=norm))
