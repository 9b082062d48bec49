"""Streams of random numbers: a seed, a name and a position; nothing else.

Every purpose has a stream of its own (initialisation, shuffling, dropout, augmentation), so that a
second data loader does not disturb training. The numbers are a pure function of (key, position):
see `chainrule.ops.random`.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from typing import Any, ClassVar, cast

import numpy as np

from chainrule import compiler, config, devices
from chainrule.runtime.mersenne import Twister

#: Here a worker of a DataLoader keeps PyTorch's generator of its own (`own_twister`).
_here = threading.local()

STREAMS = ("default", "init", "shuffle", "dropout", "augmentation")


class Generator:
    """A stream: `seed`, and how many Philox counters were used up (`position`). As
    `torch.Generator`.
    """

    __slots__ = ("_name", "_seed", "_twister", "key", "lasting", "position")

    #: How often any stream gave a NumPy generator: numbers that no recorded graph can draw again.
    handed_out: ClassVar[int] = 0

    def __init__(self, device: Any = "cpu", *, seed: int | None = None, name: str = "") -> None:
        if isinstance(device, int):  # Generator(42)
            device, seed = "cpu", device
        devices.check(device)
        self._name = name
        self.lasting = False  # whether a step that is run again may go on with it
        self.manual_seed(int.from_bytes(os.urandom(7), "little") if seed is None else seed)

    def manual_seed(self, seed: int) -> Generator:
        """Start again at position 0 with another seed."""
        self._seed = int(seed)
        if not -(2**63) <= self._seed < 2**64:
            raise RuntimeError(f"a seed has 64 bits: {seed} is outside [-2**63, 2**64)")
        digest = hashlib.blake2b(f"{self._seed}:{self._name}".encode(), digest_size=8).digest()
        self.key = int.from_bytes(digest, "little", signed=True)
        self.position = 0
        self._twister: Twister | None = None
        return self

    @property
    def twister(self) -> Twister | None:
        """PyTorch's generator, where `config.random` asks for its numbers: one of its own, or the
        one that all streams of a thread share.
        """
        if config.random == "philox":
            return None
        if config.random != "mt19937":
            raise ValueError(
                f"config.random (CHAINRULE_RANDOM) is {config.random!r}; it can be 'philox' or "
                "'mt19937'"
            )
        if self._name and (own := getattr(_here, "twister", None)) is not None:
            return cast(Twister, own)
        home = _streams["default"] if self._name else self
        if home._twister is None:
            home._twister = Twister(home._seed)
        return home._twister

    def seed(self) -> int:
        """Take a seed from the operating system, and return it."""
        self.manual_seed(int.from_bytes(os.urandom(7), "little"))
        return self._seed

    def initial_seed(self) -> int:
        """The seed that the stream started from."""
        return self._seed

    def advance(self, counters: int) -> int:
        """Reserve counters; gives the position where they begin."""
        start = self.position
        self.position += counters
        return start

    def numpy(self) -> np.random.Generator:
        """A NumPy generator that is a function of seed, stream and position; the position moves on
        by one.
        """
        Generator.handed_out += 1
        position = self.advance(1)
        key = np.array([self.key & 0xFFFFFFFFFFFFFFFF, position], np.uint64)
        return np.random.Generator(np.random.Philox(key=key))

    def snapshot(self) -> dict[str, Any]:
        """What `restore` takes: enough to go on exactly here."""
        found: dict[str, Any] = {"seed": self._seed, "position": self.position}
        if self.twister is not None:
            found["twister"] = self.twister.state()
        return found

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.manual_seed(int(state["seed"]))
        self.position = int(state["position"])
        if self.twister is not None and "twister" in state:
            self.twister.restore(state["twister"])

    @property
    def device(self) -> devices.device:
        return devices.device("cpu")


def own_twister(seed: int) -> None:
    """From now on the streams of this thread, a worker's, draw from a generator with this seed.

    PyTorch's workers are processes, each seeded on its own. With counters there is nothing to do.
    """
    _here.twister = Twister(seed) if config.random == "mt19937" else None


_streams = {name: Generator(name=name) for name in STREAMS}


def stream(name: str = "default") -> Generator:
    """The stream for one purpose."""
    return _streams[name]


def manual_seed(seed: int) -> Generator:
    """Restart all streams from one seed; each still has numbers of its own."""
    compiler.restart()
    for s in _streams.values():
        s.manual_seed(seed)
    return _streams["default"]


def seed() -> int:
    """Restart all streams from a seed of the operating system."""
    s = int.from_bytes(os.urandom(7), "little")
    manual_seed(s)
    return s


def initial_seed() -> int:
    """The seed that the streams started from."""
    return _streams["default"].initial_seed()


def get_state() -> dict[str, dict[str, Any]]:
    """The state of all streams."""
    return {name: s.snapshot() for name, s in _streams.items()}


def set_state(state: dict[str, dict[str, Any]]) -> None:
    """Put all streams back."""
    for name, s in state.items():
        _streams[name].restore(s)


def packed(state: Any) -> np.ndarray:
    """A state as bytes."""
    return np.frombuffer(json.dumps(state).encode("ascii"), np.uint8).copy()


def unpacked(array: np.ndarray) -> Any:
    """What `packed` made. Raises TypeError for other bytes, such as PyTorch's own states."""
    try:
        return json.loads(array.tobytes())
    except ValueError as error:
        raise TypeError(
            "RNG state must be a torch.ByteTensor of get_rng_state() of this library; PyTorch's "
            "own states cannot be continued here: its generator is another one"
        ) from error
