"""Optimizer: Keras's manners (variables given when they are known, clipping, decay) over the update
formulas.

A subclass of ours names its state (`slots`) and records one variable's update in `_update`. Numbers
that change from step to step are data of the recorded program, so that every step finds the same
one. `apply` computes what was recorded. A subclass of a user's own writes `build` and
`update_step`, as in Keras.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np

from chainrule import dtypes
from chainrule.keras.arrays import to_tensor
from chainrule.keras.naming import auto_name, name_scope
from chainrule.keras.optimizers.adjust import Adjustments, Pairs
from chainrule.keras.optimizers.schedules import LearningRateSchedule
from chainrule.keras.optimizers.state import Mirrored
from chainrule.keras.registry import from_config, known, to_config
from chainrule.keras.scopes import StatelessScope
from chainrule.keras.settings import floatx
from chainrule.keras.variables import Variable
from chainrule.tensor import Tensor, flush, no_grad
from chainrule.tensor.creation import varying

C = TypeVar("C", bound=type)


@known
class Optimizer(Adjustments):
    """Base class. `apply_gradients([(gradient, variable), …])` changes the variables once.

    `clipnorm` bounds the norm of each gradient, `global_clipnorm` the norm of all together,
    `clipvalue` each element. `weight_decay` shrinks a variable by learning_rate · weight_decay
    before each update. With `use_ema`, running averages of the variables are kept, and replace them
    every `ema_overwrite_frequency` steps and at the end. Gradients are divided by
    `loss_scale_factor`; with `gradient_accumulation_steps` their mean over so many calls counts.

    One of your own:

    >>> class Signs(Optimizer):
    ...     def update_step(self, gradient, variable, learning_rate):
    ...         self.assign_sub(variable, learning_rate * gradient.sign())
    >>> v = Variable(np.array([1.0, 1.0]))
    >>> _ = Signs(0.5).apply_gradients([(np.array([3.0, -2.0], "f4"), v)])
    >>> v.tolist()
    [0.5, 1.5]
    """

    #: Names of the variables that the optimiser keeps for each variable, in the order in which the
    #: formula takes them.
    slots: tuple[str, ...] = ()
    #: Arguments of a subclass that `get_config` gives, each kept under its name.
    _options: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        learning_rate: Any,
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
        if kwargs.pop("decay", None) is not None:
            warnings.warn(
                "Argument `decay` is no longer supported and will be ignored; use a learning rate "
                "schedule",
                stacklevel=3,
            )
        kwargs.pop("jit_compile", None)
        if kwargs:
            raise ValueError(
                f"Argument(s) not recognized: {kwargs}. {type(self).__name__} takes "
                f"{', '.join(list(inspect.signature(type(self)).parameters)[:-1])}"
            )
        if sum(c is not None for c in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError(
                "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. Received: "
                f"clipnorm={clipnorm}, clipvalue={clipvalue}, global_clipnorm={global_clipnorm}"
            )
        if gradient_accumulation_steps and gradient_accumulation_steps < 2:
            raise ValueError(
                "`gradient_accumulation_steps` must be an integer >= 2. Received: "
                f"gradient_accumulation_steps={gradient_accumulation_steps}"
            )
        if use_ema:
            _check_average(ema_momentum, ema_overwrite_frequency)
        self.name = name or auto_name(type(self).__name__)
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.global_clipnorm = global_clipnorm
        self.clipvalue = clipvalue
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.built = False
        self._calls = 0  # gradients given, more than updates where they are accumulated
        self._excluded: set[int] = set()
        self._excluded_names: re.Pattern[str] | None = None
        self._own: list[Variable] = []  # all state, in the order of Keras's files
        self._slots: dict[str, list[Variable | None]] = {}
        self._trainable_variables: list[Variable] = []
        self._index: dict[int, int] = {}
        self._accumulated_gradients: list[Variable | None] = []
        self._model_variables_moving_average: list[Variable | None] = []
        self._next_rate: float | None = None  # of the step that has begun
        #: The numbers of the last step that was recorded, as it read them.
        self.recorded_numbers: dict[tuple[str, Any], Tensor] = {}
        self.generation = 0  # changes with the tensors that hold the state
        self._schedule: Any = None
        self._count_steps()
        with name_scope(self.name, caller=self):
            self._rate = Variable(
                np.zeros(()), dtype=floatx(), trainable=False, name="learning_rate"
            )
        self._set_rate(learning_rate)

    def _count_steps(self) -> None:
        with name_scope(self.name, caller=self):
            self._counter = Mirrored.of(
                lambda: self._calls, self._go_on_at, dtype="int32", name="iteration"
            )

    def _go_on_at(self, calls: int) -> None:
        self._calls = int(calls)

    # learning rate --------------------------------------------------------------------------------

    @property
    def learning_rate(self) -> Any:
        """The rate of the next step: a variable that can be assigned, or a schedule's value."""
        if self._schedule is None:
            return self._rate
        return to_tensor(np.asarray(self._scheduled(), self._rate.dtype.np))

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self._set_rate(value)

    lr = learning_rate

    def _set_rate(self, value: Any) -> None:
        if isinstance(value, LearningRateSchedule) or (
            callable(value) and not isinstance(value, Tensor)
        ):
            self._schedule = value
            return
        if self._schedule is not None:
            raise TypeError(
                "This optimizer was created with a `LearningRateSchedule`, so that its learning "
                "rate cannot be set; give it a number to begin with, if you want to"
            )
        if isinstance(value, dict | str) or value is None:
            raise ValueError(
                "Argument `learning_rate` should be float, or an instance of "
                "LearningRateSchedule, or a callable that returns the learning rate. "
                f"Received: learning_rate={value!r}"
            )
        self._rate.assign(np.asarray(float(value)))

    def _scheduled(self) -> float:
        schedule = self._schedule
        if isinstance(schedule, LearningRateSchedule):
            return float(schedule(to_tensor(self._calls)))
        return float(schedule())

    def _rate_now(self) -> float:
        return self._scheduled() if self._schedule is not None else float(self._rate.item())

    @property
    def _iterations(self) -> Variable:
        return self._counter.refresh()

    @property
    def iterations(self) -> Any:
        """How many updates were done."""
        if self.gradient_accumulation_steps:
            return to_tensor(self._step)
        return self._iterations

    # state ----------------------------------------------------------------------------------------

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the state of these variables."""
        if self.built:
            return
        variables = list(variables)
        self._index = {id(v): i for i, v in enumerate(variables)}
        self._trainable_variables = variables
        if self.use_ema:
            self._model_variables_moving_average = self.add_optimizer_variables(
                variables, "average"
            )
        if self.gradient_accumulation_steps:
            self._accumulated_gradients = [
                self.add_variable_from_reference(v, "gradient_accumulator") for v in variables
            ]
        self._add_state(variables)
        self.built = True

    def _add_state(self, variables: list[Variable]) -> None:
        """The slots of these variables: those of a variable stand together."""
        if self.slots:
            self._add_slots(self.slots, variables)

    def _add_slots(
        self, names: Sequence[str], variables: list[Variable], initializer: Any = "zeros"
    ) -> None:
        made = self.add_optimizer_variables(variables, list(names), initializer)
        for name, one in zip(names, made, strict=True):
            self._slots.setdefault(name, []).extend(one)

    def _var_key(self, variable: Any) -> int:
        return id(variable)

    def _get_variable_index(self, variable: Any) -> int:
        return self._index[id(variable)]

    def _state_of(self, variable: Any) -> dict[str, Variable]:
        index = self._index[id(variable)]
        slots = {name: one[index] for name, one in self._slots.items()}
        return {name: v for name, v in slots.items() if v is not None}

    @property
    def slot_tensors(self) -> list[Tensor]:
        """All state that changes with each step."""
        return list(self._own)

    @property
    def variables(self) -> list[Variable]:
        """The count of updates, the learning rate unless it is scheduled, and all state."""
        rate = [] if self._schedule is not None else [self._rate]
        return [self._iterations, *rate, *self._own]

    def assign(self, variable: Any, value: Any) -> None:
        """Give a variable a new value (for `update_step`)."""
        variable.assign(value)

    def assign_add(self, variable: Any, value: Any) -> None:
        variable.assign_add(value)

    def assign_sub(self, variable: Any, value: Any) -> None:
        variable.assign_sub(value)

    # steps ----------------------------------------------------------------------------------------

    def apply_gradients(self, grads_and_vars: Iterable[Any], **options: Any) -> Any:
        """Change the variables once; pairs of (gradient, variable). Gives `iterations`."""
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self._iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        """Change the variables once, and compute it."""
        if len(grads) == 0:
            return
        if trainable_variables is None:
            if not self.built:
                raise ValueError(
                    "When passing `grads` without `variables`, the optimizer must already be built "
                    "on a list of variables. Call `optimizer.build(trainable_variables)` first."
                )
            trainable_variables = self._trainable_variables
            if len(grads) != len(trainable_variables):
                raise ValueError(
                    "When passing `grads` as a list of gradient tensors, the gradients must match "
                    f"`optimizer.variables` one-to-one. Received {len(grads)} gradients, and the "
                    f"optimizer is tracking {len(trainable_variables)} variables."
                )
        self.record(list(grads), list(trainable_variables))
        flush()

    def record(self, grads: list[Any], variables: Sequence[Variable]) -> None:
        """Record one change of the variables without computing it. Empties `grads`."""
        if len(grads) != len(variables):
            raise ValueError(f"{len(grads)} gradients for {len(variables)} variables")
        given = list(grads)
        grads.clear()
        with no_grad():
            self._know(variables)
            pairs = self._present(given, variables)
            given.clear()
            pairs = self._overwritten(pairs)
            if pairs:
                if self.loss_scale_factor is not None:
                    pairs = [(g / self.loss_scale_factor, v) for g, v in pairs]
                due = self._accumulated(pairs)
                if due:
                    clipped = self._clip_gradients([g for g, _ in due])
                    self._record([(g, v) for g, (_, v) in zip(clipped, due, strict=True)])
                self._average()
                for _, variable in pairs:
                    if variable.constraint is not None:
                        variable.assign(variable.constraint(variable.detach()))
            self._calls += 1

    def _know(self, variables: Sequence[Variable]) -> None:
        """Build, or make state for variables that were not trained before."""
        if not self.built:
            self.build(list(variables))
            self.built = True
            return
        new = [v for v in variables if id(v) not in self._index]
        if not new:
            return
        if not _is_ours(self):
            raise ValueError(
                f"Unknown variable: {new[0]}. This optimizer can only be called for the variables "
                "it was originally built with; make a new one for others"
            )
        for variable in new:
            self._index[id(variable)] = len(self._trainable_variables)
            self._trainable_variables.append(variable)
        if self.use_ema:
            self._model_variables_moving_average += self.add_optimizer_variables(new, "average")
        if self.gradient_accumulation_steps:
            self._accumulated_gradients += [
                self.add_variable_from_reference(v, "gradient_accumulator") for v in new
            ]
        self._add_state(new)

    def _present(self, grads: list[Any], variables: Sequence[Variable]) -> Pairs:
        """The pairs that have a gradient."""
        pairs = [(to_tensor(g), v) for g, v in zip(grads, variables, strict=True) if g is not None]
        missing = [v.path for g, v in zip(grads, variables, strict=True) if g is None]
        if not pairs:
            raise ValueError(
                "No gradients provided for any variable. The loss does not depend on "
                f"{', '.join(missing) or 'anything that can be trained'}."
            )
        if missing and self._calls == 0:
            warnings.warn(
                f"Gradients do not exist for variables {missing} when minimizing the loss: it does "
                "not depend on them",
                stacklevel=4,
            )
        return pairs

    def begin(self) -> None:
        """Look at the learning rate before a step is recorded: a schedule's value is computed."""
        self._next_rate = self._rate_now()

    @property
    def repeatable(self) -> bool:
        """Whether all steps are recorded alike, but for the numbers of `numbers_now`."""
        return (
            _is_ours(self)
            and not self.use_ema
            and not self.gradient_accumulation_steps
            and not any(v.overwrite_with_gradient for v in self._trainable_variables)
        )

    def numbers_now(self) -> dict[tuple[str, Any], float]:
        """The values of `recorded_numbers` for the step that has begun, and count it."""
        lr = self._taken_rate()
        values = self._numbers(lr) | self._decay(lr)
        self._calls += 1
        return {key: values[key[0]] for key in self.recorded_numbers}

    def _taken_rate(self) -> float:
        lr = self._rate_now() if self._next_rate is None else self._next_rate
        self._next_rate = None
        return lr

    def _record(self, pairs: Pairs) -> None:
        lr = self._taken_rate()
        if type(self).update_step is not Optimizer.update_step:
            self._next_rate = lr  # `learning_rate` was looked at for this step
            self._apply_weight_decay([v for _, v in pairs])
            rate = self.learning_rate
            for gradient, variable in pairs:
                self.update_step(gradient, variable, rate)
            self._next_rate = None
            return
        made: dict[tuple[str, Any], Tensor] = {}
        numbers, decay = self._numbers(lr), self._decay(lr)
        for gradient, variable in pairs:
            self._update_one(variable, gradient, numbers, decay, made)
        self.recorded_numbers = made

    def _update_one(
        self,
        variable: Variable,
        gradient: Tensor,
        numbers: dict[str, float],
        decay: dict[str, float],
        made: dict[tuple[str, Any], Tensor],
    ) -> None:
        dtype = dtypes.float32 if variable.dtype.itemsize == 2 else variable.dtype

        def number(name: str, value: float) -> Tensor:
            found = made.get((name, dtype))
            if found is None:
                found = made[name, dtype] = varying(value, dtype)
            return found

        name = self._decay_name(variable)
        data = {name: number(name, value) for name, value in numbers.items()}
        data["decay"] = number(name, decay[name])
        self._update(variable, gradient, self._state_of(variable), data)

    def _numbers(self, lr: float) -> dict[str, float]:
        """The numbers of this step by name; the learning rate is "lr"."""
        return {"lr": lr}

    def _update(
        self, p: Variable, g: Tensor, state: dict[str, Variable], numbers: dict[str, Tensor]
    ) -> None:
        """Record the update of one variable."""
        raise NotImplementedError(f"{type(self).__name__} defines no update_step")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Change one variable by its gradient: what a subclass of your own defines."""
        with no_grad():
            numbers = self._numbers(float(learning_rate))
            self._update_one(
                variable, to_tensor(gradient), numbers, dict.fromkeys(self._decay(0.0), 1.0), {}
            )

    # other ways to take a step --------------------------------------------------------------------

    def stateless_apply(
        self, optimizer_variables: Sequence[Any], grads: Sequence[Any],
        trainable_variables: Sequence[Any],
    ) -> tuple[list[Any], list[Any]]:  # fmt: skip
        """The values of the trainable variables and of `variables` after a step that begins at
        these values; nothing is changed.
        """
        if not self.built:
            raise ValueError(
                f"To call `stateless_apply`, {type(self).__name__} must be built (i.e. its "
                "variables must have been created). You can build it via "
                "`optimizer.build(trainable_variables)`."
            )
        own, trained = self.variables, self._trainable_variables
        for what, values, count in (
            ("optimizer_variables", optimizer_variables, len(own)),
            ("trainable_variables", trainable_variables, len(trained)),
        ):
            if len(values) != count:
                raise ValueError(
                    f"Argument `{what}` must be a list of tensors for the {count} variables that "
                    f"the optimizer has or was built with. Received: {len(values)} values"
                )
        # Updates write where the values are, so that copies are given.
        begin = [
            (variable, to_tensor(value, variable.dtype).detach().clone())
            for variable, value in zip(
                [*trained, *own], [*trainable_variables, *optimizer_variables], strict=True
            )
        ]
        with StatelessScope(begin) as scope:
            self.apply(list(grads))
        return (
            [scope.get_current_value(v) for v in trained],
            [scope.get_current_value(v) for v in own],
        )

    def minimize(self, loss: Any, var_list: Any = None, tape: Any = None) -> None:
        """Differentiate a loss (or a function that gives one) and change the variables once."""
        value = loss() if callable(loss) and not isinstance(loss, Tensor) else loss
        given = var_list() if callable(var_list) else var_list
        variables = list(given if given is not None else self._trainable_variables)
        if tape is not None:
            self.apply(tape.gradient(value, variables), variables)
            return
        for variable in variables:
            variable.grad = None
        value.backward()
        grads = [v.grad for v in variables]
        for variable in variables:
            variable.grad = None
        self.apply(grads, variables)

    def scale_loss(self, loss: Any) -> Any:
        """The loss times `loss_scale_factor`, which gradients are divided by later."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    # configuration --------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        rate = to_config(self._schedule) if self._schedule is not None else float(self._rate.item())
        names = (
            "weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema", "ema_momentum",
            "ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps",
            *self._options,
        )  # fmt: skip
        return {"name": self.name, "learning_rate": rate} | {n: getattr(self, n) for n in names}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Optimizer:
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = from_config(
                config["learning_rate"], custom_objects=custom_objects
            )
        return cls(**config)

    def __getstate__(self) -> dict[str, Any]:
        left_out = ("_counter", "_index", "recorded_numbers")
        return {name: value for name, value in self.__dict__.items() if name not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._index = {id(v): i for i, v in enumerate(self._trainable_variables)}
        self.recorded_numbers = {}
        self._count_steps()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _is_ours(optimizer: Optimizer) -> bool:
    return type(optimizer).__module__.startswith(__package__)


def _check_average(momentum: float, frequency: Any) -> None:
    if not 0 <= momentum <= 1:
        raise ValueError(
            f"`ema_momentum` must be in the range [0, 1]. Received: ema_momentum={momentum}"
        )
    if frequency and (not isinstance(frequency, int) or frequency < 1):
        raise ValueError(
            "`ema_overwrite_frequency` must be an integer >= 1 or None. Received: "
            f"ema_overwrite_frequency={frequency}"
        )
