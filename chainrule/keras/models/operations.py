"""Functions in a functional model, as Keras writes them: `{"module": "keras.src.ops.numpy",
"class_name": "Mean", "config": {"axis": -1, "name": "mean"}}`, called on its tensors.

Here a function is called with all its arguments. Which of them Keras keeps in the config, and
which it gives at the call, is told by their names.
"""

from __future__ import annotations

import inspect
from typing import Any

from chainrule.keras.naming import snake_case
from chainrule.keras.symbolic import FUNCTIONS

#: Which of Keras's modules has which functions; all others are in `numpy`.
_MODULES = {
    "core": "associative_scan cast cond convert_to_tensor fori_loop map saturate_cast scan scatter "
    "scatter_update slice slice_update stop_gradient switch unstack vectorized_map while_loop",
    "nn": "adaptive_average_pool adaptive_max_pool average_pool batch_normalization "
    "binary_crossentropy categorical_crossentropy celu conv conv_transpose ctc_decode ctc_loss "
    "depth_to_space depthwise_conv dot_product_attention elu fold gelu glu hard_shrink "
    "hard_sigmoid hard_silu hard_tanh layer_normalization leaky_relu log_sigmoid log_softmax "
    "max_pool moments multi_hot normalize one_hot polar psnr relu relu6 rms_normalization selu "
    "separable_conv sigmoid silu soft_shrink softmax softplus softsign space_to_depth "
    "sparse_categorical_crossentropy sparse_plus sparse_sigmoid sparsemax squareplus tanh_shrink "
    "threshold unfold",
    "math": "cdist erf erfc erfinv extract_sequences fft fft2 ifft2 in_top_k irfft istft logdet "
    "logsumexp rfft rsqrt segment_max segment_min segment_prod segment_sum stft top_k "
    "view_as_complex view_as_real",
    "linalg": "cholesky cholesky_inverse det eig eigh inv jvp lstsq lu_factor matrix_rank norm "
    "pinv qr solve solve_triangular svd",
    "image": "affine_transform crop_images elastic_transform extract_patches gaussian_blur "
    "hsv_to_rgb map_coordinates pad_images perspective_transform resize rgb_to_grayscale "
    "rgb_to_hsv scale_and_translate sobel_edges ssim",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}

#: Classes that are not their function's name in capitals.
_CLASSES = {
    "allclose": "AllClose", "batch_normalization": "BatchNorm", "cdist": "CDist",
    "ctc_decode": "CTCDecode", "ctc_loss": "CTCLoss", "fft": "FFT", "fft2": "FFT2",
    "getitem": "GetItem", "hsv_to_rgb": "HSVToRGB", "ifft2": "IFFT2", "irfft": "IRFFT",
    "isin": "IsIn", "istft": "ISTFT", "jvp": "JVP", "layer_normalization": "LayerNorm",
    "psnr": "PSNR", "rfft": "RFFT", "rgb_to_grayscale": "RGBToGrayscale", "rgb_to_hsv": "RGBToHSV",
    "rms_normalization": "RMSNorm", "searchsorted": "SearchSorted", "ssim": "SSIM", "stft": "STFT",
    "svd": "SVD",
}  # fmt: skip
_FUNCTION_OF = {cls: function for function, cls in _CLASSES.items()}

#: Arguments that Keras gives at the call; all others are in the config.
_CALLED = frozenset((
    "x", "x1", "x2", "xs", "y", "a", "b", "q", "inputs", "images", "kernel", "target",
    "output", "targets", "predictions", "indices", "values", "start", "stop", "step", "key",
    "condition", "constant_values", "data", "segment_ids", "updates", "array", "mean",
    "variance", "offset", "scale", "gamma", "beta", "start_indices", "loop_vars", "init_val",
    "elements", "operands", "sorted_sequence", "depthwise_kernel", "pointwise_kernel",
    "query", "value", "bias", "mask", "abs_", "angle", "image1", "image2", "coordinates",
    "transform", "start_points", "end_points", "output_shape", "translation", "condlist",
    "choicelist", "default", "variable", "primals", "tangents", "f", "init", "elems", "pred",
    "true_fn", "false_fn", "bins", "sequence_lengths",
))  # fmt: skip
_KEPT = {  # the same names, where Keras has them in the config
    "bincount": {"weights"}, "diagonal": {"offset"}, "trace": {"offset"}, "squareplus": {"b"},
    "trapezoid": {"x"},
}  # fmt: skip


def keras_class(function: str) -> tuple[str, str]:
    """Keras's module and class of a function.

    >>> keras_class("log_softmax")
    ('keras.src.ops.nn', 'LogSoftmax')
    """
    name = _CLASSES.get(function) or "".join(part.capitalize() for part in function.split("_"))
    return f"keras.src.ops.{_MODULE_OF.get(function, 'numpy')}", name


def function_of(class_name: str) -> str:
    """The function of a class of Keras's. Raises ValueError for one that is not here.

    >>> function_of("GetItem")
    'getitem'
    """
    name = _FUNCTION_OF.get(class_name) or snake_case(class_name)
    if name not in FUNCTIONS:
        raise ValueError(f"the file uses keras.ops.{name} ({class_name}), which is not here")
    return name


def is_function(entry: dict[str, Any]) -> bool:
    """Whether the entry of a graph's config is a function, not a layer."""
    if "module" in entry:
        return (entry["module"] or "").startswith("keras.src.ops.")
    # Old files name no module; a layer has more in its config.
    cls, config = entry["class_name"], entry["config"]
    name = _FUNCTION_OF.get(cls) or snake_case(cls)
    return (
        name in FUNCTIONS and isinstance(config, dict) and not {"trainable", "dtype"} & set(config)
    )


def split(function: str, args: Any, kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a call as Keras has them: those of the call, and the config."""
    try:
        signature = inspect.signature(FUNCTIONS[function])
        bound = signature.bind(*args, **kwargs)
    except (TypeError, ValueError):  # of the language itself, or called in a way of its own
        return list(args), dict(kwargs)
    called: list[Any] = []
    config: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            called.extend(value)
        elif kind is inspect.Parameter.VAR_KEYWORD:
            config |= value
        elif kind is inspect.Parameter.POSITIONAL_ONLY or (
            name in _CALLED and name not in _KEPT.get(function, ())
        ):
            called.append(value)
        else:
            config[name] = value
    return called, config
