"""`torch.linalg`: factorisations, systems of equations, norms.

Each function is written once, in the modules next to this one; here they take `out=`.
"""

from chainrule import names
from chainrule.errors import LinAlgError
from chainrule.linalg import factors as _factors
from chainrule.linalg import legacy
from chainrule.linalg import norms as _norms
from chainrule.linalg import products as _products
from chainrule.linalg import systems as _systems
from chainrule.tensor.calling import public as _out

cholesky, cholesky_ex = _out(_factors.cholesky), _out(_factors.cholesky_ex)
qr, svd, svdvals = _out(_factors.qr), _out(_factors.svd), _out(_factors.svdvals)
eig, eigvals = _out(_factors.eig), _out(_factors.eigvals)
eigh, eigvalsh = _out(_factors.eigh), _out(_factors.eigvalsh)
lu, lu_factor = _out(_factors.lu), _out(_factors.lu_factor)
lu_factor_ex = _out(_factors.lu_factor_ex)
ldl_factor, ldl_factor_ex = _out(_factors.ldl_factor), _out(_factors.ldl_factor_ex)
householder_product = _out(_factors.householder_product)

solve, solve_ex = _out(_systems.solve), _out(_systems.solve_ex)
inv, inv_ex = _out(_systems.inv), _out(_systems.inv_ex)
solve_triangular, lu_solve = _out(_systems.solve_triangular), _out(_systems.lu_solve)
ldl_solve, lstsq = _out(_systems.ldl_solve), _systems.lstsq
det, slogdet = _out(_systems.det), _out(_systems.slogdet)
pinv, matrix_rank = _out(_systems.pinv), _out(_systems.matrix_rank)

norm, vector_norm = _out(_norms.norm), _out(_norms.vector_norm)
matrix_norm = _out(_norms.matrix_norm)
cond = _out(_norms.cond)

matmul, multi_dot = _out(_products.matmul), _out(_products.multi_dot)
vecdot = _out(_products.vecdot)
matrix_exp, matrix_power = _products.matrix_exp, _out(_products.matrix_power)
tensorinv, tensorsolve = _out(_products.tensorinv), _out(_products.tensorsolve)
vander, diagonal = _products.vander, _products.diagonal


def _cross(input, other, *, dim=-1):  # type: ignore[no-untyped-def]  # typed where it is written
    return _products.cross(input, other, dim)


cross = _out(_cross)

__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eig", "eigh",
    "eigvals", "eigvalsh", "householder_product", "inv", "inv_ex", "ldl_factor", "ldl_factor_ex",
    "ldl_solve", "lstsq", "lu", "lu_factor", "lu_factor_ex", "lu_solve", "matmul", "matrix_exp",
    "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet",
    "solve", "solve_ex", "solve_triangular", "svd", "svdvals", "tensorinv", "tensorsolve", "vander",
    "vecdot", "vector_norm",
]  # fmt: skip

__getattr__ = names.later(__name__, also="chainrule.tensorflow.linalg")
