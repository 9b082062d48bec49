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
