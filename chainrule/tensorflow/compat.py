"""`tf.compat`: of TensorFlow 1 only what programs of TensorFlow 2 still call."""

from __future__ import annotations

import logging as _logging
from types import SimpleNamespace
from typing import Any

from chainrule.names import later
from chainrule.tensorflow.config import experimental
from chainrule.tensorflow.random import set_seed


def as_bytes(bytes_or_text: Any, encoding: str = "utf-8") -> bytes:
    """Text as bytes."""
    return (
        bytes_or_text if isinstance(bytes_or_text, bytes) else str(bytes_or_text).encode(encoding)
    )


def as_str(bytes_or_text: Any, encoding: str = "utf-8") -> str:
    """Bytes as text."""
    return (
        bytes_or_text.decode(encoding) if isinstance(bytes_or_text, bytes) else str(bytes_or_text)
    )


as_text = as_str


def _refuse(what: str) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f"{what} is of TensorFlow 1, where a graph is made before it is run; here every "
            "operation gives its value"
        )

    return call


class _Logger:
    DEBUG, INFO, WARN, ERROR, FATAL = 10, 20, 30, 40, 50

    def set_verbosity(self, level: int) -> None:
        _logging.getLogger("chainrule").setLevel(level)

    def __getattr__(self, name: str) -> Any:
        return getattr(_logging.getLogger("chainrule"), name)


logging = _Logger()
v1 = SimpleNamespace(
    logging=logging,
    set_random_seed=set_seed,
    disable_v2_behavior=_refuse("disable_v2_behavior"),
    disable_eager_execution=_refuse("disable_eager_execution"),
    enable_eager_execution=lambda *args, **kwargs: None,
    enable_v2_behavior=lambda: None,
    global_variables_initializer=_refuse("global_variables_initializer"),
    placeholder=_refuse("placeholder"),
    Session=_refuse("Session"),
    ConfigProto=lambda **options: SimpleNamespace(
        gpu_options=SimpleNamespace(allow_growth=True), **options
    ),
    config=SimpleNamespace(experimental=experimental),
)
v2 = SimpleNamespace()
__getattr__ = later(__name__)
