"""PyTorch's top level: which of its names are rooms, and in which rooms others stand.

They are loaded when a program first names them: each costs time, and few programs need all.
"""

from __future__ import annotations

_ROOMS = """
    _C _dynamo accelerator amp ao autograd backends compiler cpu cuda data datasets distributed
    distributions explain export fft func functional futures fx hub io jit keras library linalg
    masked models monitor mps multiprocessing nested nn onnx optim overrides package profiler
    quantization random serialization signal sparse special storage summary testing torch_version
    training types utils version vision xpu
"""
ROOMS = frozenset(_ROOMS.split())

#: Room → its names that PyTorch has at the top, too.
_NAMES = {
    "amp": "GradScaler",
    "amp.autocast_mode": """
        autocast autocast_decrement_nesting autocast_increment_nesting clear_autocast_cache
        get_autocast_cpu_dtype get_autocast_dtype get_autocast_gpu_dtype is_autocast_available
        is_autocast_cache_enabled is_autocast_cpu_enabled is_autocast_enabled
        set_autocast_cache_enabled set_autocast_cpu_dtype set_autocast_cpu_enabled
        set_autocast_dtype set_autocast_enabled
    """,
    "autograd.grads": "is_anomaly_check_nan_enabled is_anomaly_enabled set_anomaly_enabled",
    "explain.checking.check": "check",
    "tensor.guard": "nan_guard",
    "cuda": "AcceleratorError Event OutOfMemoryError Stream get_device_module",
    "func": "vmap",
    "futures": "Future",
    "jit": "fork wait",
    "linalg.top": """
        cholesky cholesky_inverse cholesky_solve det frobenius_norm geqrf inverse lobpcg logdet
        lu lu_solve lu_unpack matrix_exp matrix_power nuclear_norm orgqr ormqr pca_lowrank
        pinverse qr slogdet svd svd_lowrank triangular_solve
    """,
    "nn.functional": """
        adaptive_avg_pool1d adaptive_max_pool1d avg_pool1d bilinear celu celu_ channel_shuffle
        conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d
        cosine_similarity grid_sampler grid_sampler_2d grid_sampler_3d hardshrink max_pool1d
        max_pool1d_with_indices max_pool2d max_pool3d pairwise_distance pdist pixel_shuffle
        pixel_unshuffle prelu rms_norm rrelu rrelu_ selu selu_ threshold threshold_
    """,
    "nn.functional.native": """
        affine_grid_generator alpha_dropout alpha_dropout_ batch_norm
        binary_cross_entropy_with_logits conv_tbc cosine_embedding_loss ctc_loss dropout
        dropout_ embedding feature_alpha_dropout feature_dropout group_norm gru_cell
        hinge_embedding_loss instance_norm kl_div layer_norm lstm_cell margin_ranking_loss
        native_channel_shuffle native_norm poisson_nll_loss rnn_relu_cell rnn_tanh_cell
        triplet_margin_loss
    """,
    "random": "fork_rng get_rng_state set_rng_state",
    "serialization": "load save",
    "signal.classic": "bartlett_window blackman_window hamming_window hann_window kaiser_window",
    "sparse": "sparse_coo_tensor sparse_csr_tensor spmm",
    "storage": """
        BFloat16Storage BoolStorage ByteStorage CharStorage ComplexDoubleStorage
        ComplexFloatStorage DoubleStorage FloatStorage HalfStorage IntStorage LongStorage
        ShortStorage TypedStorage UntypedStorage is_storage
    """,
    "tensor.extra.copies": """
        alias_copy as_strided_copy detach_copy diagonal_copy expand_copy narrow_copy
        permute_copy select_copy slice_copy split_copy split_with_sizes_copy squeeze_copy t_copy
        transpose_copy unbind_copy unfold_copy unsqueeze_copy view_as_complex_copy
        view_as_real_copy view_copy
    """,
    "tensor.extra.rare": """
        as_strided_scatter binomial cond detach detach_ eig is_inference is_same_size is_signed
        lstsq matrix_rank norm_except_dim segment_reduce solve split_with_sizes sym_float
        sym_int sym_ite sym_max sym_min sym_not sym_sqrt sym_sum symeig unravel_index
        unsafe_split_with_sizes vander while_loop
    """,
    "tensor.extra.top": """
        constant_pad_nd fill frexp gcd gradient histogram histogramdd i0 igamma igammac lcm
        nextafter nonzero_static resize_as_
    """,
    "utils.dlpack": "to_dlpack",
}

#: Name → the module where it stands.
ELSEWHERE = {name: f"chainrule.{room}" for room, names in _NAMES.items() for name in names.split()}

#: TensorFlow's names that PyTorch has not at its top level, and its rooms: `chainrule.tensorflow`
#: knows where each stands.
_TENSORFLOW = """
    AggregationMethod Assert GradientTape Module Operation RaggedTensor TensorArray TensorShape
    TensorSpec UnconnectedGradients Variable add_n autograph boolean_mask
    broadcast_dynamic_shape broadcast_static_shape case cast clip_by_global_norm clip_by_norm
    clip_by_value compat constant control_dependencies convert_to_tensor custom_gradient debugging
    distribute ensure_shape executing_eagerly expand_dims experimental floordiv floormod foldl
    foldr function gather_nd get_static_value global_norm grad_pass_through gradients group
    identity image init_scope initializers is_symbolic_tensor lookup losses map_fn math metrics mod
    name_scope nest
    no_op numpy_function ones_initializer optimizers pad print py_function rank
    recompute_grad reduce_all reduce_any reduce_logsumexp reduce_max reduce_mean reduce_min
    reduce_prod reduce_std reduce_sum reduce_variance reverse reverse_sequence
    saved_model scalar_mul scan scatter_nd sequence_mask shape shape_n slice
    squared_difference stop_gradient strided_slice string summary switch_case tensor_scatter_nd_add
    tensor_scatter_nd_max tensor_scatter_nd_min tensor_scatter_nd_sub tensor_scatter_nd_update
    test train truediv truncatediv truncatemod unique_with_counts unstack vectorized_map
    zeros_initializer
"""
ELSEWHERE |= dict.fromkeys(_TENSORFLOW.split(), "chainrule.tensorflow")
