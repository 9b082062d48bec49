"""`fit` of four networks, here and in Keras on TensorFlow: the same program on both sides.

    python -m benchmarks.fit                                 all four, this Python on both sides
    python -m benchmarks.fit --keras PYTHON --rounds 5       Keras in an environment of its own
    python -m benchmarks.fit --only lstm,transformer

Each side is a process; epochs take turns; a figure is the median of all epochs but the first. The
numbers are random: what they are does not matter for time.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import time
from typing import Any

import numpy as np

from benchmarks.pipes import Failed, Peer, serve, two_processors

#: Network → steps in an epoch that is timed, and how many times as fast it should be here.
NETWORKS = {"first": (469, 8.0), "dcnn": (60, 2.0), "lstm": (100, 5.0), "transformer": (60, 2.0)}
WORDS, LENGTH = 20_000, 200


def network(keras: Any, name: str) -> tuple[Any, int]:
    """A compiled model, and its batch size."""
    layers = keras.layers
    if name == "first":  # the first document's network
        model = keras.Sequential([
            keras.Input((784,)), layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ])  # fmt: skip
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model, 128
    logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if name == "dcnn":
        model = keras.Sequential([
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"), layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"), layers.MaxPooling2D(2),
            layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dense(10),
        ])  # fmt: skip
        model.compile(keras.optimizers.SGD(0.01), logits)
        return model, 64
    if name == "lstm":
        model = keras.Sequential([
            keras.Input((20, 10)), layers.LSTM(50, return_sequences=True), layers.LSTM(50),
            layers.Dense(2),
        ])  # fmt: skip
        model.compile(keras.optimizers.Adam(0.01), logits)
        return model, 32
    words = keras.Input((LENGTH,), dtype="int32")  # Keras's example for IMDB
    x = layers.Embedding(WORDS, 32)(words)
    seen = layers.Dropout(0.1)(layers.MultiHeadAttention(2, 32)(x, x))
    x = layers.LayerNormalization(epsilon=1e-6)(x + seen)
    more = layers.Dropout(0.1)(layers.Dense(32)(layers.Dense(32, activation="relu")(x)))
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-6)(x + more))
    x = layers.Dense(20, activation="relu")(layers.Dropout(0.1)(x))
    model = keras.Model(words, layers.Dense(2, activation="softmax")(layers.Dropout(0.1)(x)))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, 32


class Side:
    """What may be ordered."""

    def __init__(self, module: str) -> None:
        self.keras = importlib.import_module(module)
        self.made: dict[str, Any] = {}

    def epoch(self, name: str) -> float:
        """Seconds of a step, over an epoch."""
        steps = NETWORKS[name][0]
        if name not in self.made:
            model, batch = network(self.keras, name)
            rng, rows = np.random.default_rng(0), steps * batch
            shape = (rows, *model.input_shape[1:])
            words = name == "transformer"
            x = rng.integers(1, WORDS, shape) if words else rng.random(shape, dtype=np.float32)
            y = rng.integers(0, model.output_shape[-1], rows)
            self.made[name] = model, x, y, batch
        model, x, y, batch = self.made[name]
        began = time.perf_counter()
        model.fit(x, y, batch_size=batch, epochs=1, verbose=0)
        return (time.perf_counter() - began) / steps


def main() -> int:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keras", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--only", default=",".join(NETWORKS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        serve(Side(options.side))
        return 0
    two_processors()
    sides = {
        "chainrule": (sys.executable, "chainrule.keras"),
        "keras": (options.keras, "keras"),
    }
    print(f"{'network':<12}{'here':>10}{'Keras':>10}{'ratio':>8}{'asked':>7}")
    for name in options.only.split(","):
        peers = {
            side: Peer(side, python, ["benchmarks.fit", "--side", module])
            for side, (python, module) in sides.items()
        }
        seconds: dict[str, list[float]] = {side: [] for side in peers}
        try:
            for _ in range(options.rounds + 1):
                for side, peer in peers.items():
                    seconds[side].append(peer.ask("epoch", name=name))
        except Failed as error:
            print(f"{name:<12}{error}")
            continue
        finally:
            for peer in peers.values():
                peer.close()
        ours, theirs = (1e3 * statistics.median(seconds[side][1:]) for side in sides)
        print(
            f"{name:<12}{ours:>7.2f} ms{theirs:>7.2f} ms{theirs / ours:>8.2f}{NETWORKS[name][1]:>7}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
