"""What Keras's tests ask its backend about: facts of ours, under Keras's private names."""

SUPPORTS_SPARSE_TENSORS = False
SUPPORTS_RAGGED_TENSORS = False
SUPPORTS_COMPLEX_DTYPES = True
IS_THREAD_SAFE = True

BOOL_TYPES = ("bool",)
INT_TYPES = ("uint8", "int8", "int16", "int32", "int64")
FLOAT_TYPES = ("bfloat16", "float16", "float32", "float64")
COMPLEX_TYPES = ("complex64", "complex128")
WEAK_TYPES = ("int", "float")
FLOAT8_TYPES = ()
ALLOWED_DTYPES = (*FLOAT_TYPES, *INT_TYPES, *BOOL_TYPES, *COMPLEX_TYPES, "string")
PYTHON_DTYPES_MAP = {bool: "bool", int: "int32", float: "float32", str: "string", "int": "int32"}


def compute_conv_transpose_output_shape(
    input_shape, kernel_size, filters, strides, padding, output_padding=None,
    data_format="channels_last", dilation_rate=1,
):  # fmt: skip
    """The shape that a transposed convolution gives."""
    rank = len(kernel_size)
    first = data_format == "channels_first"
    sizes = input_shape[2:] if first else input_shape[1:-1]

    def each(n):
        return (n,) * rank if isinstance(n, int) or n is None else tuple(n)

    found = []
    columns = zip(sizes, kernel_size, each(strides), each(output_padding), each(dilation_rate))
    for n, k, s, extra, d in columns:
        span = (k - 1) * d + 1
        if n is None:
            found.append(None)
        elif extra is None:
            found.append(n * s + max(span - s, 0) if padding == "valid" else n * s)
        else:
            pad = 0 if padding == "valid" else span // 2
            found.append((n - 1) * s + span - 2 * pad + extra)
    if first:
        return (input_shape[0], filters, *found)
    return (input_shape[0], *found, filters)


def compute_conv_transpose_padding_args_for_jax(*args, **kwargs):
    """What Keras hands to JAX: nothing here calls JAX."""
    raise NotImplementedError("of Keras's JAX backend")
