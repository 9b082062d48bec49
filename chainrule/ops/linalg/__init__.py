"""Linear algebra: one primitive for each factorisation, with its type rule, NumPy reference and
gradient. `chainrule.linalg` has the functions over tensors. They run as host steps.
"""

from chainrule.ops.linalg.factor import (
    cholesky,
    eig,
    eigh,
    eigvalsh,
    ldl,
    lu,
    permutation,
    qr,
    svd,
    svdvals,
)
from chainrule.ops.linalg.systems import (
    cholesky_solve,
    cofactor,
    det,
    geqrf,
    inv,
    ldl_solve,
    matrix_exp,
    pinv,
    reflect,
    slogdet,
    solve,
)
from chainrule.ops.linalg.triangular import solve_right, solve_triangular
