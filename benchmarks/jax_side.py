"""JAX's side: the same networks as pure functions, each step one `jit` with donated buffers.

python -m benchmarks.jax_side          orders as for `benchmarks.worker`
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from benchmarks.networks import _STAGES
from benchmarks.pipes import serve, timed


class Parameters:
    """First values, drawn one after the other."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def normal(self, *shape: int, scale: float | None = None) -> Any:
        fan_in = math.prod(shape[:-1]) if len(shape) > 1 else 1
        deviation = scale or 1 / math.sqrt(fan_in)
        return jnp.asarray(self.rng.normal(0, deviation, shape), jnp.float32)

    def dense(self, before: int, after: int, bias: bool = True) -> dict[str, Any]:
        made = {"w": self.normal(before, after)}
        return made | {"b": jnp.zeros(after)} if bias else made

    def conv(self, size: int, before: int, after: int, bias: bool = True) -> dict[str, Any]:
        made = {"w": self.normal(size, size, before, after)}
        return made | {"b": jnp.zeros(after)} if bias else made

    def norm(self, width: int, bias: bool = True) -> dict[str, Any]:
        made = {"g": jnp.ones(width)}
        return made | {"b": jnp.zeros(width)} if bias else made


def dense(p: Any, x: Any) -> Any:
    y = x @ p["w"]
    return y + p["b"] if "b" in p else y


def conv(p: Any, x: Any, stride: int = 1) -> Any:
    pad = p["w"].shape[0] // 2
    y = lax.conv_general_dilated(
        x, p["w"], (stride, stride), [(pad, pad)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return y + p["b"] if "b" in p else y


def pool(x: Any) -> Any:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def normalised(p: Any, x: Any, axes: Any) -> Any:
    y = (x - x.mean(axes, keepdims=True)) * lax.rsqrt(x.var(axes, keepdims=True) + 1e-5) * p["g"]
    return y + p["b"] if "b" in p else y


def dropped(x: Any, key: Any, rate: float = 0.1) -> Any:
    if key is None:
        return x
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0.0)


def heads(x: Any, count: int) -> Any:
    rows, steps, width = x.shape
    return x.reshape(rows, steps, count, width // count).swapaxes(1, 2)


def attention(q: Any, k: Any, v: Any, count: int, *, causal: bool, key: Any = None) -> Any:
    q, k, v = heads(q, count), heads(k, count), heads(v, count)
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
    if causal:
        steps = scores.shape[-1]
        scores = jnp.where(jnp.tril(jnp.ones((steps, steps), bool)), scores, -1e30)
    y = dropped(jax.nn.softmax(scores, -1), key) @ v
    return y.swapaxes(1, 2).reshape(y.shape[0], y.shape[2], -1)


# The networks: parameters, and the function of parameters, data and a key (None: not in training)


def mlp(made: Parameters) -> Any:
    return {"hidden": made.dense(784, 128), "out": made.dense(128, 10)}


def mlp_of(p: Any, x: Any, key: Any) -> Any:
    return dense(p["out"], jax.nn.relu(dense(p["hidden"], x)))


def dcnn(made: Parameters) -> Any:
    return {
        "conv1": made.conv(3, 1, 32), "conv2": made.conv(3, 32, 64),
        "hidden": made.dense(3136, 128), "out": made.dense(128, 10),
    }  # fmt: skip


def dcnn_of(p: Any, x: Any, key: Any) -> Any:
    x = pool(jax.nn.relu(conv(p["conv1"], x)))
    x = pool(jax.nn.relu(conv(p["conv2"], x)))
    return dense(p["out"], jax.nn.relu(dense(p["hidden"], x.reshape(x.shape[0], -1))))


def lstm(made: Parameters) -> Any:
    layers = [
        {"x": made.dense(before, 200), "h": made.dense(50, 200, bias=False)} for before in (10, 50)
    ]
    return {"layers": layers, "out": made.dense(50, 2)}


def lstm_of(p: Any, x: Any, key: Any) -> Any:
    x = x.swapaxes(0, 1)
    for layer in p["layers"]:

        def step(carry: Any, gates: Any, layer: Any = layer) -> Any:
            h, c = carry
            i, f, g, o = jnp.split(gates + dense(layer["h"], h), 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zero = jnp.zeros((x.shape[1], 50))
        _, x = lax.scan(step, (zero, zero), dense(layer["x"], x))
    return dense(p["out"], x[-1])


def transformer(made: Parameters, width: int = 50) -> Any:
    layers = [
        {
            "qkv": made.dense(width, 3 * width), "project": made.dense(width, width),
            "up": made.dense(width, 4 * width), "down": made.dense(4 * width, width),
            "norm1": made.norm(width), "norm2": made.norm(width),
        }
        for _ in range(2)
    ]  # fmt: skip
    return {
        "symbols": made.normal(10, width, scale=1.0), "places": made.normal(64, width, scale=1.0),
        "layers": layers, "out": made.dense(width, 10),
    }  # fmt: skip


def transformer_of(p: Any, x: Any, key: Any) -> Any:
    y = p["symbols"][x] * math.sqrt(50) + p["places"][: x.shape[1]]
    for layer in p["layers"]:
        keys = [None] * 4
        if key is not None:
            key, *keys = jax.random.split(key, 5)
        q, k, v = jnp.split(dense(layer["qkv"], y), 3, -1)
        seen = dense(layer["project"], attention(q, k, v, 2, causal=False, key=keys[0]))
        y = normalised(layer["norm1"], y + dropped(seen, keys[1]), -1)
        inner = dropped(jax.nn.relu(dense(layer["up"], y)), keys[2])
        y = normalised(layer["norm2"], y + dropped(dense(layer["down"], inner), keys[3]), -1)
    return dense(p["out"], y).reshape(-1, 10)


def gpt(made: Parameters, width: int = 128) -> Any:
    blocks = [
        {
            "norm1": made.norm(width, bias=False), "norm2": made.norm(width, bias=False),
            "qkv": made.dense(width, 3 * width, bias=False),
            "project": made.dense(width, width, bias=False),
            "up": made.dense(width, 4 * width, bias=False),
            "down": made.dense(4 * width, width, bias=False),
        }
        for _ in range(4)
    ]  # fmt: skip
    return {
        "symbols": made.normal(65, width, scale=0.02), "places": made.normal(64, width, scale=0.02),
        "blocks": blocks, "norm": made.norm(width, bias=False),
    }  # fmt: skip


def gpt_of(p: Any, x: Any, key: Any) -> Any:
    y = p["symbols"][x] + p["places"][: x.shape[1]]
    for block in p["blocks"]:
        q, k, v = jnp.split(dense(block["qkv"], normalised(block["norm1"], y, -1)), 3, -1)
        y = y + dense(block["project"], attention(q, k, v, 4, causal=True))
        inner = dense(block["up"], normalised(block["norm2"], y, -1))
        y = y + dense(block["down"], jax.nn.gelu(inner, approximate=False))
    return (normalised(p["norm"], y, -1) @ p["symbols"].T).reshape(-1, 65)


def resnet18(made: Parameters) -> Any:
    blocks, before = [], 64
    for width, stride in _STAGES:
        block = {
            "conv1": made.conv(3, before, width, bias=False), "norm1": made.norm(width),
            "conv2": made.conv(3, width, width, bias=False), "norm2": made.norm(width),
        }  # fmt: skip
        if stride != 1 or before != width:
            block |= {"past": made.conv(1, before, width, bias=False), "norm3": made.norm(width)}
        blocks.append(block)
        before = width
    first = {"conv": made.conv(3, 3, 64, bias=False), "norm": made.norm(64)}
    return first | {"blocks": blocks, "out": made.dense(512, 10)}


def resnet18_of(p: Any, x: Any, key: Any) -> Any:
    def norm(q: Any, x: Any) -> Any:
        return normalised(q, x, (0, 1, 2))

    x = jax.nn.relu(norm(p["norm"], conv(p["conv"], x)))
    for block, (_, stride) in zip(p["blocks"], _STAGES, strict=True):
        y = jax.nn.relu(norm(block["norm1"], conv(block["conv1"], x, stride)))
        y = norm(block["norm2"], conv(block["conv2"], y))
        past = norm(block["norm3"], conv(block["past"], x, stride)) if "past" in block else x
        x = jax.nn.relu(y + past)
    return dense(p["out"], x.mean((1, 2)))


_rng = np.random.default_rng(0)


def _uniform(*shape: int) -> Any:
    return jnp.asarray(_rng.random(shape), jnp.float32)


def _classes(n: int, *shape: int) -> Any:
    return jnp.asarray(_rng.integers(0, n, shape))


_sgd = partial(optax.sgd, 0.1, momentum=0.9)
TABLE: dict[str, tuple[Any, Any, Callable[[], Any], tuple[Any, Any]]] = {
    "mlp": (mlp, mlp_of, lambda: optax.adam(1e-3), (_uniform(128, 784), _classes(10, 128))),
    "dcnn": (dcnn, dcnn_of, lambda: optax.sgd(0.01), (_uniform(64, 28, 28, 1), _classes(10, 64))),
    "lstm": (lstm, lstm_of, lambda: optax.adam(0.01), (_uniform(32, 20, 10), _classes(2, 32))),
    "transformer": (
        transformer, transformer_of, lambda: optax.adam(0.01),
        (_classes(10, 32, 10), _classes(10, 320)),
    ),
    "gpt": (gpt, gpt_of, lambda: optax.adamw(1e-3), (_classes(65, 12, 64), _classes(65, 768))),
    "resnet18": (
        resnet18, resnet18_of,
        lambda: optax.chain(optax.add_decayed_weights(5e-4), _sgd()),
        (_uniform(32, 32, 32, 3), _classes(10, 32)),
    ),
}  # fmt: skip


class Running:
    """A network in training."""

    def __init__(self, name: str) -> None:
        make, function, optimizer, (self.x, self.y) = TABLE[name]
        rule = optimizer()
        self.p = make(Parameters())
        self.state = rule.init(self.p)
        self.key = jax.random.key(0)
        self._forward = jax.jit(lambda p, x: function(p, x, None))

        @partial(jax.jit, donate_argnums=(0, 1))
        def step(p: Any, state: Any, key: Any, x: Any, y: Any) -> Any:
            key, own = jax.random.split(key)

            def loss_of(p: Any) -> Any:
                logits = function(p, x, own)
                return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

            loss, gradients = jax.value_and_grad(loss_of)(p)
            updates, state = rule.update(gradients, state, p)
            return optax.apply_updates(p, updates), state, key, loss

        self._step = step

    def step(self) -> None:
        self.p, self.state, self.key, loss = self._step(
            self.p, self.state, self.key, self.x, self.y
        )
        loss.block_until_ready()

    def infer(self) -> Any:
        return np.asarray(self._forward(self.p, self.x))


class Side:
    """What may be ordered."""

    def __init__(self) -> None:
        self.networks: dict[str, Running] = {}

    def version(self) -> str:
        return str(jax.__version__)

    def network(self, name: str) -> Running:
        if name not in self.networks:
            self.networks[name] = Running(name)
        return self.networks[name]

    def first(self, network: str) -> list[float]:
        return timed(self.network(network).step, 2)

    def train(self, network: str, count: int) -> list[float]:
        return timed(self.network(network).step, count)

    def infer(self, network: str, count: int) -> list[float]:
        return timed(self.network(network).infer, count)

    def forget(self, network: str) -> None:
        self.networks.pop(network, None)


if __name__ == "__main__":
    serve(Side())
