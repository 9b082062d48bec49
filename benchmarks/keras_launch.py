"""Run a Keras program on one side from equal initial weights, and write down the losses of `fit`.

    python -m benchmarks.keras_launch [--epochs N] [--steps N] chainrule|keras REPORT PROGRAM …

The program is not changed. Both sides are watched and bounded alike: initial weights are drawn by
NumPy, a shape at a time; data stay in their order; dropout lets everything through; an epoch has N
batches; MNIST, CIFAR-10 and IMDB come from the files at hand (CHAINRULE_DATA). REPORT is JSON: the
loss after each batch of every call of `fit`, and what `evaluate` said.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import importlib
import inspect
import json
import os
import random
import runpy
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SEED = 0
ROWS = 2000  # of every data set at hand
TESTED = 500  # rows that `evaluate` sees


class Watch:
    """What `fit` and `evaluate` of one library said, and how long they may go on."""

    def __init__(self, keras: Any, epochs: int, steps: int) -> None:
        self.keras, self.epochs, self.steps = keras, epochs, steps
        self.losses: list[float] = []
        self.results: list[list[float]] = []
        self.fitting = False
        self._fit, self._evaluate = keras.Model.fit, keras.Model.evaluate
        keras.Model.fit = functools.wraps(self._fit)(
            lambda model, *a, **k: self.fit(model, *a, **k)
        )
        keras.Model.evaluate = functools.wraps(self._evaluate)(
            lambda model, *a, **k: self.evaluate(model, *a, **k)
        )

    def fit(self, model: Any, *arguments: Any, **keywords: Any) -> Any:
        bound = inspect.signature(self._fit).bind(model, *arguments, **keywords)
        bound.apply_defaults()
        given = bound.arguments
        del given["self"]
        given["epochs"] = min(given["epochs"], given["initial_epoch"] + self.epochs)
        if _arrays(given["x"]) and not given["steps_per_epoch"]:
            rows = (given["batch_size"] or 32) * self.steps
            for name in ("x", "y", "sample_weight"):
                given[name] = _first(given[name], rows)
            given["shuffle"] = False
        else:
            given["steps_per_epoch"] = min(given["steps_per_epoch"] or self.steps, self.steps)
        if _arrays(given["validation_data"]):
            given["validation_data"] = _first(tuple(given["validation_data"]), TESTED)
        elif given["validation_data"] is not None:
            given["validation_steps"] = 2
        given["callbacks"] = [*_listed(given["callbacks"]), self._listener()]
        self.fitting = True
        try:
            return self._fit(model, **given)
        finally:
            self.fitting = False

    def evaluate(self, model: Any, *arguments: Any, **keywords: Any) -> Any:
        if self.fitting:  # its own validation
            return self._evaluate(model, *arguments, **keywords)
        given = inspect.signature(self._evaluate).bind(model, *arguments, **keywords).arguments
        del given["self"]
        given |= given.pop("kwargs", {})
        if _arrays(given.get("x")):
            given |= {name: _first(given[name], TESTED) for name in ("x", "y") if name in given}
        else:
            given["steps"] = 2
        result = self._evaluate(model, **given)
        values = result.values() if isinstance(result, dict) else np.ravel(result)
        self.results.append([float(value) for value in values])
        return result

    def _listener(self) -> Any:
        class Listener(self.keras.callbacks.Callback):  # type: ignore[misc, name-defined]
            def on_train_batch_end(listener, batch: int, logs: Any = None) -> None:
                if logs and "loss" in logs:
                    self.losses.append(float(logs["loss"]))

        return Listener()


def _listed(callbacks: Any) -> list[Any]:
    if callbacks is None:
        return []
    return [*callbacks] if isinstance(callbacks, list | tuple) else [callbacks]


def _arrays(data: Any) -> bool:
    """Whether all of it lies in arrays."""
    if isinstance(data, dict):
        data = [*data.values()]
    if isinstance(data, list | tuple):
        return bool(data) and all(_arrays(part) for part in data)
    return isinstance(data, np.ndarray)


def _first(data: Any, rows: int) -> Any:
    if isinstance(data, dict):
        return {name: _first(part, rows) for name, part in data.items()}
    if isinstance(data, list | tuple):
        return type(data)(_first(part, rows) for part in data)
    return None if data is None else data[:rows]


# what differs by chance ---------------------------------------------------------------------------


def equal_chances(keras: Any, tensor: Callable[[np.ndarray], Any]) -> None:
    """Initial weights by NumPy, from nothing but kind and shape; nothing is dropped."""

    def draws(kind: str, shape: Any) -> np.ndarray:
        key = zlib.crc32(repr((kind, tuple(map(int, shape)))).encode())
        generator = np.random.Generator(np.random.Philox(key))
        if kind == "uniform":
            return generator.uniform(-1, 1, shape)
        return generator.standard_normal(shape).clip(-2, 2)

    def scaled(self: Any, shape: Any, dtype: Any = None, **options: Any) -> Any:
        field = int(np.prod(shape[:-2]))
        into, out = (shape[-2] * field, shape[-1] * field) if len(shape) > 1 else shape * 2
        over = {"fan_in": into, "fan_out": out, "fan_avg": (into + out) / 2}[self.mode]
        variance = self.scale / max(1.0, over)
        if self.distribution == "uniform":
            return tensor(draws("uniform", shape) * np.sqrt(3 * variance))
        return tensor(draws("normal", shape) * np.sqrt(variance))

    def normal(self: Any, shape: Any, dtype: Any = None, **options: Any) -> Any:
        return tensor(self.mean + self.stddev * draws("normal", shape))

    def uniform(self: Any, shape: Any, dtype: Any = None, **options: Any) -> Any:
        middle, half = (self.maxval + self.minval) / 2, (self.maxval - self.minval) / 2
        return tensor(middle + half * draws("uniform", shape))

    def orthogonal(self: Any, shape: Any, dtype: Any = None, **options: Any) -> Any:
        rows, columns = int(np.prod(shape[:-1])), shape[-1]
        q, r = np.linalg.qr(draws("normal", (max(rows, columns), min(rows, columns))))
        q *= np.sign(np.diag(r))
        return tensor(self.gain * (q if rows >= columns else q.T).reshape(shape))

    def undropped(self: Any, inputs: Any, training: bool = False) -> Any:
        return inputs

    for names, call in (
        (("VarianceScaling", "GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal",
          "LecunUniform", "LecunNormal"), scaled),
        (("RandomNormal", "TruncatedNormal"), normal),
        (("RandomUniform",), uniform),
        (("Orthogonal",), orthogonal),
    ):  # fmt: skip
        for name in names:
            getattr(keras.initializers, name).__call__ = call
    for name in ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise"):
        getattr(keras.layers, name).call = undropped


# data at hand -------------------------------------------------------------------------------------


def local_data(keras: Any) -> None:
    """The first rows of the files at hand, the same on both sides."""
    at_hand = Path(os.environ.get("CHAINRULE_DATA", "."))

    def digits(folder: str, path: str = "") -> Any:
        return tuple(
            tuple(_idx(at_hand / folder / f"{kind}-{part}-ubyte.gz")[:ROWS]
                  for part in ("images-idx3", "labels-idx1"))
            for kind in ("train", "t10k")
        )  # fmt: skip

    def cifar10() -> Any:
        files = "data_batch_1_first4000.bin", "test_batch_first1000.bin"
        rows = [np.fromfile(at_hand / "cifar10-subset" / f, np.uint8) for f in files]
        rows = [part.reshape(-1, 3073)[:ROWS] for part in rows]
        return tuple(
            (part[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).copy(), part[:, :1])
            for part in rows
        )

    def imdb(path: str = "", num_words: int | None = None, **options: Any) -> Any:
        with np.load(at_hand / "imdb" / "imdb_rebuilt.npz", allow_pickle=True) as file:
            parts = [(file[f"x_{part}"], file[f"y_{part}"]) for part in ("train", "test")]
        mixed = np.random.default_rng(SEED).permutation(len(parts[0][0]))[:ROWS]
        limit = num_words or sys.maxsize
        return tuple(
            (np.array([[w if w < limit else 2 for w in text] for text in x[mixed]], object),
             np.asarray(y[mixed]))
            for x, y in parts
        )  # fmt: skip

    sets = keras.datasets
    sets.mnist.load_data = functools.partial(digits, "mnist")
    sets.fashion_mnist.load_data = functools.partial(digits, "fashion-mnist")
    sets.cifar10.load_data, sets.imdb.load_data = cifar10, imdb


def _idx(path: Path) -> np.ndarray:
    content = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(content, ">i4", content[3], 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape).copy()


# the run ------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", choices=["chainrule", "keras"])
    parser.add_argument("report", type=Path)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("program", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    keras, tensor = _library(given.library)
    equal_chances(keras, tensor)
    local_data(keras)
    keras.utils.plot_model = lambda *arguments, **keywords: None  # needs Graphviz
    watch = Watch(keras, given.epochs, given.steps)
    for seed in (random.seed, np.random.seed, keras.utils.set_random_seed):
        seed(SEED)
    program = given.program
    sys.argv, sys.path[0] = program, os.path.dirname(os.path.abspath(program[0]))
    try:
        runpy.run_path(program[0], run_name="__main__")
    except SystemExit as ended:
        if ended.code not in (0, None):
            raise
    given.report.write_text(json.dumps({"losses": watch.losses, "results": watch.results}))


def _library(name: str) -> tuple[Any, Callable[[np.ndarray], Any]]:
    """The Keras of a side, and what makes one of its tensors of float32."""
    keras = importlib.import_module("keras" if name == "keras" else "chainrule.keras")
    make = (
        keras.ops.convert_to_tensor
        if name == "keras"
        else importlib.import_module("chainrule.tensor.creation").tensor
    )
    return keras, lambda array: make(array.astype(np.float32))


if __name__ == "__main__":
    main()
