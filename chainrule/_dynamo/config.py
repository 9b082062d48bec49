"""`torch._dynamo.config`: settings that can be set, and that nothing reads."""

suppress_errors = False
verbose = False
cache_size_limit = recompile_limit = 8
accumulated_cache_size_limit = 256
dynamic_shapes = True
automatic_dynamic_shapes = True
assume_static_by_default = True
capture_scalar_outputs = False
capture_dynamic_output_shape_ops = False
specialize_int = False
optimize_ddp = True
guard_nn_modules = True
