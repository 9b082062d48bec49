"""TensorFlow's names, as far as programs that use Keras call them: `import chainrule as tf`.

A room by ideas: `arrays` (making, shaping, choosing), `math`, `nn`, `linalg`, `random`, `image`,
`strings`, `io`; `variable`, `gradient` (tapes), `control` (functions, loops, branches); `config`,
`distribute`, `debugging`, `test`, `train`, `summary`, `nest`. `convert` says what these functions
take. The top level of chainrule finds the names here (`chainrule/toplevel.py`), and
`chainrule/faces.py` tells which of two meanings a call has.
"""

from __future__ import annotations

from chainrule.dtypes import bool_ as bool
from chainrule.names import later
from chainrule.strings import STRING as string

_ROOMS = """
    arrays autograph compat config control debugging distribute experimental gradient image io
    linalg lookup math nest nn random saved_model signal strings summary test train variable
"""

#: Room → its names at TensorFlow's top level.
NAMES = {
    "arrays": """
        argmax argmin argsort boolean_mask broadcast_dynamic_shape broadcast_static_shape
        broadcast_to cast clip_by_global_norm clip_by_norm clip_by_value concat constant
        convert_to_tensor cumsum einsum ensure_shape expand_dims eye fill gather gather_nd
        global_norm identity linspace matmul meshgrid norm one_hot ones ones_like pad range rank
        repeat reshape reverse reverse_sequence roll scatter_nd searchsorted sequence_mask shape
        shape_n size slice sort split squeeze stack stop_gradient strided_slice
        tensor_scatter_nd_add tensor_scatter_nd_max tensor_scatter_nd_min tensor_scatter_nd_sub
        tensor_scatter_nd_update tensordot tile transpose unique unique_with_counts unstack where
        zeros zeros_like
    """,
    "control": """
        TensorArray case cond executing_eagerly foldl foldr function get_static_value group
        init_scope is_symbolic_tensor is_tensor map_fn name_scope no_op print numpy_function
        py_function scan switch_case vectorized_map while_loop
    """,
    "gradient": """
        AggregationMethod GradientTape UnconnectedGradients custom_gradient grad_pass_through
        gradients recompute_grad
    """,
    "math": """
        abs acos acosh add add_n asin asinh atan atan2 atanh ceil conj cos cosh divide equal erf
        exp expm1 floor floordiv floormod greater greater_equal imag less less_equal log log1p
        logical_and logical_not logical_or logical_xor maximum minimum mod multiply negative
        not_equal pow real reduce_all reduce_any reduce_logsumexp reduce_max reduce_mean
        reduce_min reduce_prod reduce_std reduce_sum reduce_variance round rsqrt scalar_mul
        sigmoid sign sin sinh softmax sqrt square squared_difference subtract tan tanh truediv
        truncatediv truncatemod
    """,
    "debugging": "Assert",
    "system": "Operation device",
    "variable": "Module Variable control_dependencies ones_initializer zeros_initializer",
}
_ELSEWHERE = {
    name: f"chainrule.tensorflow.{room}" for room, names in NAMES.items() for name in names.split()
}
_ELSEWHERE |= {
    "TensorShape": "chainrule.data.elements",
    "TensorSpec": "chainrule.data.elements",
    "Tensor": "chainrule.tensor",
    "RaggedTensor": "chainrule.tensorflow.strings",
    **dict.fromkeys(("initializers", "losses", "metrics", "optimizers"), "chainrule.keras"),
}

__getattr__ = later(__name__, _ROOMS.split(), _ELSEWHERE)
__all__ = ["NAMES", "bool", "string"]
