"""`tf.config`: what programs ask about the machine. There is one CPU."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

from chainrule import config as _settings
from chainrule import flags
from chainrule.names import later


class PhysicalDevice(NamedTuple):
    """A device of this machine."""

    name: str
    device_type: str


_CPU = PhysicalDevice("/physical_device:CPU:0", "CPU")


def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The devices of a kind: one CPU."""
    return [_CPU] if device_type in (None, "CPU") else []


def list_logical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """As list_physical_devices."""
    found = PhysicalDevice("/device:CPU:0", "CPU")
    return [found] if device_type in (None, "CPU") else []


def set_visible_devices(devices: Any, device_type: str | None = None) -> None:
    """There is nothing to choose."""


def run_functions_eagerly(run_eagerly: bool) -> None:
    """Whether every operation is computed at once, which shows where an error comes from."""
    _settings.eager = bool(run_eagerly)


def functions_run_eagerly() -> bool:
    return bool(_settings.eager)


def enable_op_determinism() -> None:
    """Results are the same from run to run anyway."""


class threading:
    """`tf.config.threading`."""

    @staticmethod
    def set_intra_op_parallelism_threads(num_threads: int) -> None:
        if num_threads:
            flags.set_num_threads(num_threads)

    @staticmethod
    def get_intra_op_parallelism_threads() -> int:
        return flags.get_num_threads()

    @staticmethod
    def set_inter_op_parallelism_threads(num_threads: int) -> None:
        """Operations of one program run one after the other."""

    @staticmethod
    def get_inter_op_parallelism_threads() -> int:
        return 1


class optimizer:
    """`tf.config.optimizer`: the compiler is always on."""

    @staticmethod
    def set_jit(enabled: Any) -> None:
        return None

    @staticmethod
    def get_jit() -> str:
        return ""


def _memory_growth(device: Any, enable: bool) -> None:
    return None


experimental = SimpleNamespace(
    list_physical_devices=list_physical_devices,
    list_logical_devices=list_logical_devices,
    set_memory_growth=_memory_growth,
    get_memory_growth=lambda device: False,
    set_visible_devices=set_visible_devices,
    enable_op_determinism=enable_op_determinism,
    enable_tensor_float_32_execution=lambda enabled: None,
    get_memory_info=lambda device: {"current": 0, "peak": 0},
    set_virtual_device_configuration=lambda *args: None,
    VirtualDeviceConfiguration=lambda **options: None,
)

__getattr__ = later(__name__)
