"""Low-rank adaptation: a kernel that stays, and a trainable product of two narrow matrices added to
it. Source: Hu et al. 2021.
"""

from __future__ import annotations

from typing import Any

from chainrule.keras import initializers
from chainrule.keras.layers.base import Layer
from chainrule.keras.variables import Variable
from chainrule.tensor import Tensor


class LowRank(Layer):
    """A layer with one large weight (`_kernel`) that `enable_lora` freezes and adapts:
    `kernel + (lora_alpha / lora_rank) · a · b`.
    """

    #: What the large weight is called.
    _adapted = "kernel"
    _kernel: Variable

    def _prepare_lora(self, lora_rank: int | None, lora_alpha: float | None) -> None:
        self.lora_rank = lora_rank
        self.lora_alpha = lora_alpha if lora_alpha is not None else lora_rank
        self.lora_enabled = False

    def _adapted_kernel(self) -> Any:
        """The large weight, with what was learned besides."""
        if not self.built and "_kernel" not in self.__dict__:
            raise AttributeError(f"You must build the layer before accessing `{self._adapted}`.")
        if not self.lora_enabled:
            return self._kernel
        return self._kernel + self._learned().to(self._kernel.dtype)

    def _learned(self) -> Tensor:
        a = getattr(self, f"lora_{self._adapted}_a")
        b = getattr(self, f"lora_{self._adapted}_b")
        return (a @ b) * (float(self.lora_alpha or 0) / float(self.lora_rank or 1))

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: Any = "he_uniform",
        b_initializer: Any = "zeros",
    ) -> None:
        """From now on train only two matrices of rank `rank` (and the bias)."""
        constrained = getattr(self, f"{self._adapted}_constraint")
        name = "embedding" if self._adapted == "embeddings" else self._adapted
        if constrained:
            raise ValueError(
                f"Lora is incompatible with {name} constraints. In order to enable lora on this "
                f"layer, remove the `{self._adapted}_constraint` argument."
            )
        if not self.built:
            raise ValueError("Cannot enable lora on a layer that isn't yet built.")
        if self.lora_enabled:
            raise ValueError("lora is already enabled. This can only be done once per layer.")
        self.__dict__["_locked"] = False
        shape = tuple(int(n) for n in self._kernel.shape)
        regularizer = getattr(self, f"{self._adapted}_regularizer")
        for letter, own, initializer in (
            ("a", (*shape[:-1], rank), a_initializer),
            ("b", (rank, shape[-1]), b_initializer),
        ):
            weight = self.add_weight(
                name=f"lora_{self._adapted}_{letter}",
                shape=own,
                initializer=initializers.get(initializer),
                dtype="float32",
                regularizer=regularizer,
            )
            setattr(self, f"lora_{self._adapted}_{letter}", weight)
        self._kernel.trainable = False
        self._lock_state()
        self.lora_enabled = True
        self.lora_rank = rank
        self.lora_alpha = lora_alpha if lora_alpha is not None else rank

    def _plain_weights(self) -> list[Variable]:
        """The weights as files have them: without the two matrices."""
        names = (f"lora_{self._adapted}_a", f"lora_{self._adapted}_b")
        return [w for w in self._own_weights if w.name not in names]

    def save_own_variables(self, store: Any) -> None:
        """What was learned is added to the large weight."""
        if not self.lora_enabled:
            super().save_own_variables(store)
            return
        for index, weight in enumerate(self._plain_weights()):
            value = self._adapted_kernel() if weight is self._kernel else weight
            store[str(index)] = value.detach().numpy()

    def load_own_variables(self, store: Any) -> None:
        if not self.lora_enabled:
            super().load_own_variables(store)
            return
        for index, weight in enumerate(self._plain_weights()):
            weight.assign(store[str(index)])
        for letter in "ab":
            weight = getattr(self, f"lora_{self._adapted}_{letter}")
            weight.assign(weight * 0.0)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.lora_rank is None:
            config.pop("lora_rank", None)
            config.pop("lora_alpha", None)
        return config
