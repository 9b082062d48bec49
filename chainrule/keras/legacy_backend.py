"""The functions that old programs call as `K.…` and that have other arguments in `keras.ops`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.autograd import grad
from chainrule.keras import activations, losses, ops
from chainrule.keras import random as chance
from chainrule.keras.models.function import Function
from chainrule.keras.naming import name_scope
from chainrule.keras.settings import floatx, standardize_data_format, to_dtype
from chainrule.keras.variables import Variable
from chainrule.tensor import Tensor


def argmax(x: Any, axis: int = -1) -> Any:
    """Where the largest element stands."""
    return ops.argmax(x, axis)


def argmin(x: Any, axis: int = -1) -> Any:
    """Where the smallest element stands."""
    return ops.argmin(x, axis)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = "int32") -> Any:
    """Numbers at equal distances."""
    return ops.arange(start, stop, step, dtype)


def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    """Sums of products for every row of a batch, along one axis of each.

    >>> batch_dot(np.ones((2, 3)), np.ones((2, 3)), axes=1).shape
    torch.Size([2, 1])
    """
    a, b = ops.convert_to_tensor(x), ops.convert_to_tensor(y)
    if axes is None:
        axes = (a.ndim - 1, b.ndim - 2 if b.ndim > 2 else b.ndim - 1)
    elif isinstance(axes, int):
        axes = (axes, axes)
    i, j = axes[0] % a.ndim, axes[1] % b.ndim
    a, b = a.movedim(i, -1), b.movedim(j, 1)
    n, k = int(a.shape[0]), int(a.shape[-1])
    out = a.reshape(n, -1, k) @ b.reshape(n, k, -1)
    shape = (n, *a.shape[1:-1], *b.shape[2:])
    return out.reshape(shape if len(shape) > 1 else (n, 1))


def batch_flatten(x: Any) -> Any:
    """Each row of a batch as a vector."""
    return ops.reshape(x, (-1, int(np.prod([n for n in x.shape[1:]]))))


def batch_get_value(tensors: Any) -> list[np.ndarray]:
    """The values of several tensors."""
    return [get_value(t) for t in tensors]


def batch_set_value(tuples: Any) -> None:
    """New values for several variables."""
    for variable_, value in tuples:
        variable_.assign(value)


def batch_normalization(
    x: Any, mean: Any, var: Any, beta: Any, gamma: Any, axis: int = -1, epsilon: float = 1e-3
) -> Any:
    """(x - mean) / √(var + epsilon) gamma + beta."""
    return ops.batch_normalization(x, mean, var, axis, beta, gamma, epsilon)


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Any:
    """A number added to every channel."""
    b = ops.convert_to_tensor(bias)
    if b.ndim == 1 and standardize_data_format(data_format) == "channels_first":
        b = b.reshape(-1, *[1] * (len(x.shape) - 2))
    return ops.add(x, b)


def cast_to_floatx(x: Any) -> Any:
    """In the type of weights; arrays stay arrays."""
    if isinstance(x, Tensor):
        return ops.cast(x, floatx())
    return np.asarray(x, to_dtype(None).np)


def clip(x: Any, min_value: Any, max_value: Any) -> Any:
    """Between two bounds."""
    return ops.clip(x, min_value, max_value)


def concatenate(tensors: Any, axis: int = -1) -> Any:
    """One after the other along `axis`."""
    return ops.concatenate(tensors, axis)


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Any:
    """A tensor of numbers."""
    made = ops.convert_to_tensor(value, dtype or floatx())
    return (
        made
        if shape is None
        else made.expand(tuple(shape))
        if not made.ndim
        else made.reshape(shape)
    )


def _convolution(name: str) -> Any:
    def call(
        x: Any, kernel: Any, strides: Any = 1, padding: str = "valid",
        data_format: str | None = None, dilation_rate: Any = 1,
    ) -> Any:  # fmt: skip
        if padding == "causal":
            x = temporal_padding(x, ((kernel.shape[0] - 1) * dilation_rate, 0))
            padding = "valid"
        return ops.conv(x, kernel, strides, padding, data_format, dilation_rate)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = "`keras.ops.conv`."
    return call


conv1d, conv2d, conv3d = _convolution("conv1d"), _convolution("conv2d"), _convolution("conv3d")


def conv2d_transpose(
    x: Any, kernel: Any, output_shape: Any, strides: Any = (1, 1), padding: str = "valid",
    data_format: str | None = None, dilation_rate: Any = (1, 1),
) -> Any:  # fmt: skip
    """`keras.ops.conv_transpose`."""
    return ops.conv_transpose(x, kernel, strides, padding, None, data_format, dilation_rate)


def depthwise_conv2d(
    x: Any, depthwise_kernel: Any, strides: Any = (1, 1), padding: str = "valid",
    data_format: str | None = None, dilation_rate: Any = (1, 1),
) -> Any:  # fmt: skip
    """`keras.ops.depthwise_conv`."""
    return ops.depthwise_conv(x, depthwise_kernel, strides, padding, data_format, dilation_rate)


def separable_conv2d(
    x: Any, depthwise_kernel: Any, pointwise_kernel: Any, strides: Any = (1, 1),
    padding: str = "valid", data_format: str | None = None, dilation_rate: Any = (1, 1),
) -> Any:  # fmt: skip
    """`keras.ops.separable_conv`."""
    return ops.separable_conv(
        x, depthwise_kernel, pointwise_kernel, strides, padding, data_format, dilation_rate
    )


def pool2d(
    x: Any, pool_size: Any, strides: Any = (1, 1), padding: str = "valid",
    data_format: str | None = None, pool_mode: str = "max",
) -> Any:  # fmt: skip
    """The largest ("max") or the mean ("avg") of windows."""
    f = ops.max_pool if pool_mode == "max" else ops.average_pool
    return f(x, pool_size, strides, padding, data_format)


def pool3d(
    x: Any, pool_size: Any, strides: Any = (1, 1, 1), padding: str = "valid",
    data_format: str | None = None, pool_mode: str = "max",
) -> Any:  # fmt: skip
    """The largest ("max") or the mean ("avg") of windows."""
    return pool2d(x, pool_size, strides, padding, data_format, pool_mode)


def count_params(x: Any) -> int:
    """How many numbers a variable has."""
    return int(np.prod(tuple(x.shape)))


def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Any:
    """-ln P(labels) of chances (n, time, classes), the last class being the blank: (n, 1)."""
    chances = ops.convert_to_tensor(y_pred)
    blank = int(chances.shape[-1]) - 1
    logits = ops.log(ops.add(chances, 1e-7))
    labels, times = (
        ops.reshape(ops.cast(n, "int32"), (-1,)) for n in (label_length, input_length)
    )
    return ops.expand_dims(ops.ctc_loss(y_true, logits, labels, times, blank), 1)


def ctc_decode(
    y_pred: Any, input_length: Any, greedy: bool = True, beam_width: int = 100, top_paths: int = 1
) -> Any:
    """The likeliest labels of chances (n, time, classes): a list of them, and their scores."""
    logits = ops.log(ops.add(ops.convert_to_tensor(y_pred), 1e-7))
    labels, scores = ops.ctc_decode(
        logits, input_length, "greedy" if greedy else "beam_search", beam_width, top_paths,
        mask_index=int(logits.shape[-1]) - 1,
    )  # fmt: skip
    return list(ops.unstack(labels)), scores


def cumsum(x: Any, axis: int = 0) -> Any:
    """Running sums."""
    return ops.cumsum(x, axis)


def cumprod(x: Any, axis: int = 0) -> Any:
    """Running products."""
    return ops.cumprod(x, axis)


def dropout(x: Any, level: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Zeros with probability `level`; the others divided by 1 - level."""
    return chance.dropout(x, level, noise_shape, seed)


def eval(x: Any) -> np.ndarray:
    """The values."""
    return get_value(x)


def expand_dims(x: Any, axis: int = -1) -> Any:
    """A new axis of size 1."""
    return ops.expand_dims(x, axis)


def eye(size: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Ones on the diagonal, as a variable."""
    n = size if isinstance(size, int) else size[0]
    return variable(np.eye(n, n if isinstance(size, int) else size[1]), dtype, name)


def flatten(x: Any) -> Any:
    """All elements in one row."""
    return ops.reshape(x, (-1,))


def foldl(fn: Callable[..., Any], elems: Any, initializer: Any = None, name: Any = None) -> Any:
    """The last state of `state = fn(state, row)`."""
    rows = list(ops.unstack(elems))
    state = rows.pop(0) if initializer is None else initializer
    for row in rows:
        state = fn(state, row)
    return state


def foldr(fn: Callable[..., Any], elems: Any, initializer: Any = None, name: Any = None) -> Any:
    """`foldl` from the last row to the first."""
    return foldl(fn, ops.flip(elems, 0), initializer)


def function(
    inputs: Any, outputs: Any, updates: Any = None, name: str | None = None, **kwargs: Any
) -> Callable[[Any], list[np.ndarray]]:
    """A callable from arrays for symbolic `inputs` to arrays of symbolic `outputs`, as programs for
    Keras 2 look into a model: `K.function([model.input], [model.layers[1].output])([x])`.

    Raises ValueError for `updates`: there is no graph that a call could change.
    """
    if updates:
        raise ValueError("K.function takes no `updates`: assign to variables in a train_step")
    one = not isinstance(outputs, list | tuple)
    made = Function(list(inputs), [outputs] if one else list(outputs), name=name)

    def call(values: Any) -> Any:
        found = [np.asarray(ops.convert_to_numpy(v)) for v in made(list(values))]
        return found[0] if one else found

    return call


def gather(reference: Any, indices: Any) -> Any:
    """Rows."""
    return ops.take(reference, indices, 0)


def get_value(x: Any) -> np.ndarray:
    """The values as an array."""
    return ops.convert_to_numpy(x)


def set_value(x: Variable, value: Any) -> None:
    """New values for a variable."""
    x.assign(value)


def gradients(loss: Any, variables: Any) -> list[Any]:
    """The derivative of a loss for each variable."""
    several = isinstance(variables, list | tuple)
    found = grad(
        loss.sum(), list(variables) if several else [variables], allow_unused=True,
        retain_graph=True, create_graph=True,
    )  # fmt: skip
    return list(found)


def int_shape(x: Any) -> tuple[Any, ...]:
    """The shape; None where a size is open."""
    return tuple(x.shape)


def in_top_k(predictions: Any, targets: Any, k: int) -> Any:
    """Whether the class that is named is among the k most likely ones."""
    return ops.in_top_k(targets, predictions, k)


def is_sparse(tensor: Any) -> bool:
    return False


def to_dense(tensor: Any) -> Any:
    return tensor


def l2_normalize(x: Any, axis: Any = None) -> Any:
    """Divided by the length."""
    t = ops.convert_to_tensor(x)
    where = tuple(range(t.ndim)) if axis is None else axis
    return t * ops.rsqrt(ops.maximum(ops.sum(t * t, where, keepdims=True), 1e-12))


def map_fn(fn: Callable[[Any], Any], elems: Any, name: Any = None, dtype: Any = None) -> Any:
    """`fn` of each row, stacked."""
    return ops.map(fn, elems)


def moving_average_update(x: Variable, value: Any, momentum: float) -> Variable:
    """x = x momentum + value (1 - momentum)."""
    return x.assign(x * momentum + ops.cast(value, x.dtype) * (1.0 - momentum))


def ndim(x: Any) -> int:
    return len(x.shape)


def one_hot(indices: Any, num_classes: int) -> Any:
    """Indicator vectors of class numbers."""
    return ops.one_hot(indices, num_classes)


def ones(shape: Any, dtype: Any = None, name: str | None = None) -> Variable:
    """A variable of ones."""
    return variable(np.ones(shape), dtype or floatx(), name)


def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> Variable:
    """A variable of zeros."""
    return variable(np.zeros(shape), dtype or floatx(), name)


def ones_like(x: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Ones of the same shape."""
    return ops.ones_like(x, dtype)


def zeros_like(x: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Zeros of the same shape."""
    return ops.zeros_like(x, dtype)


def permute_dimensions(x: Any, pattern: Any) -> Any:
    """Axes in another order."""
    return ops.transpose(x, pattern)


def pow(x: Any, a: Any) -> Any:
    """x to the power of a."""
    return ops.power(x, a)


def random_bernoulli(shape: Any, p: float = 0.0, dtype: Any = None, seed: Any = None) -> Any:
    """Ones with probability p, else zeros."""
    return ops.cast(ops.less(chance.uniform(shape, seed=seed), p), dtype or floatx())


def random_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Normal numbers."""
    return chance.normal(shape, mean, stddev, dtype, seed)


def random_uniform(
    shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Numbers of [minval, maxval)."""
    return chance.uniform(shape, minval, maxval, dtype, seed)


def truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Normal numbers within two standard deviations."""
    return chance.truncated_normal(shape, mean, stddev, dtype, seed)


def random_normal_variable(
    shape: Any, mean: float, scale: float, dtype: Any = None, name: Any = None, seed: Any = None
) -> Variable:
    """A variable of normal numbers."""
    return variable(random_normal(shape, mean, scale, dtype, seed), dtype, name)


def random_uniform_variable(
    shape: Any, low: float, high: float, dtype: Any = None, name: Any = None, seed: Any = None
) -> Variable:
    """A variable of numbers of [low, high)."""
    return variable(random_uniform(shape, low, high, dtype, seed), dtype, name)


def relu(x: Any, alpha: float = 0.0, max_value: Any = None, threshold: float = 0.0) -> Any:
    """max(x, 0), with a slope below, a bound above, and another threshold."""
    return activations.relu(x, negative_slope=alpha, max_value=max_value, threshold=threshold)


def repeat(x: Any, n: int) -> Any:
    """(n, size) → (n, times, size)."""
    return ops.repeat(ops.expand_dims(x, 1), n, 1)


def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    """Each entry along an axis several times."""
    return ops.repeat(x, rep, axis)


def resize_images(
    x: Any, height_factor: int, width_factor: int, data_format: str, interpolation: str = "nearest"
) -> Any:
    """Pictures so many times as large."""
    first = data_format == "channels_first"
    h, w = (x.shape[2], x.shape[3]) if first else (x.shape[1], x.shape[2])
    size = (int(h) * height_factor, int(w) * width_factor)
    return ops.image.resize(x, size, interpolation, data_format=data_format)


def resize_volumes(
    x: Any, depth_factor: int, height_factor: int, width_factor: int, data_format: str
) -> Any:
    """Volumes so many times as large."""
    first = 2 if data_format == "channels_first" else 1
    for i, n in enumerate((depth_factor, height_factor, width_factor)):
        x = ops.repeat(x, n, first + i)
    return x


def reverse(x: Any, axes: Any) -> Any:
    """In reverse order along some axes."""
    return ops.flip(x, axes)


def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1, ignore_class: Any = None
) -> Any:
    """-log p of the class that the target names."""
    return losses.sparse_categorical_crossentropy(target, output, from_logits, ignore_class, axis)


def spatial_2d_padding(
    x: Any, padding: Any = ((1, 1), (1, 1)), data_format: str | None = None
) -> Any:
    """Zeros around pictures."""
    first = standardize_data_format(data_format) == "channels_first"
    inner = [tuple(p) for p in padding]
    return ops.pad(x, [(0, 0), (0, 0), *inner] if first else [(0, 0), *inner, (0, 0)])


def spatial_3d_padding(
    x: Any, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None
) -> Any:
    """Zeros around volumes."""
    return spatial_2d_padding(x, padding, data_format)


def temporal_padding(x: Any, padding: Any = (1, 1)) -> Any:
    """Zeros before and after sequences."""
    return ops.pad(x, [(0, 0), tuple(padding), (0, 0)])


def squeeze(x: Any, axis: int) -> Any:
    """Without an axis of size 1."""
    return ops.squeeze(x, axis)


def stop_gradient(variables: Any) -> Any:
    """Values without their derivative."""
    if isinstance(variables, list | tuple):
        return [ops.stop_gradient(v) for v in variables]
    return ops.stop_gradient(variables)


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """One of two expressions, or of two functions, element by element."""
    if callable(then_expression) and not isinstance(then_expression, Tensor):
        c = ops.convert_to_tensor(condition)
        if not c.ndim:
            return then_expression() if bool(c) else else_expression()
        then_expression, else_expression = then_expression(), else_expression()
    c = ops.convert_to_tensor(condition)
    while c.ndim < len(then_expression.shape):
        c = c.unsqueeze(-1)
    return ops.where(c, then_expression, else_expression)


def update(x: Variable, new_x: Any) -> Variable:
    """New values."""
    return x.assign(new_x)


def update_add(x: Variable, increment: Any) -> Variable:
    """Values added."""
    return x.assign_add(increment)


def update_sub(x: Variable, decrement: Any) -> Variable:
    """Values taken away."""
    return x.assign_sub(decrement)


def variable(
    value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None
) -> Variable:
    """A variable with these values."""
    made = np.asarray(get_value(value) if isinstance(value, Tensor) else value)
    kind = dtype or (floatx() if made.dtype.kind == "f" else made.dtype)
    return Variable(made, dtype=kind, name=name, constraint=constraint)


def learning_phase() -> int:
    """0: what layers do in training is an argument of their call."""
    return 0


def set_learning_phase(value: int) -> None:
    """Nothing: pass training= to the call."""


def manual_variable_initialization(value: bool) -> None:
    """Nothing: variables have values."""


__all__ = ["name_scope"]
