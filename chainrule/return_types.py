"""`torch.return_types`: the named tuples of functions with several results.

>>> import chainrule as torch
>>> torch.tensor([1, 3, 2]).max(0)
torch.return_types.max(
values=tensor(3),
indices=tensor(1))
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any


class Result(tuple[Any, ...]):
    """Several results with names. Made of one sequence, as `torch.return_types.max((v, i))`."""

    __slots__ = ()
    _names: tuple[str, ...] = ()
    n_fields = n_sequence_fields = n_unnamed_fields = 0

    def __new__(cls, parts: Iterable[Any]) -> Result:
        found = tuple.__new__(cls, parts)
        if len(found) != len(cls._names):
            raise TypeError(
                f"torch.return_types.{cls.__name__}() takes a {len(cls._names)}-sequence "
                f"({len(found)}-sequence given)"
            )
        return found

    def __repr__(self) -> str:
        parts = ",\n".join(f"{n}={v!r}" for n, v in zip(self._names, self, strict=True))
        return f"torch.return_types.{type(self).__name__}(\n{parts})"

    def __reduce__(self) -> Any:
        return type(self), (tuple(self),)


def _result(name: str, *names: str) -> Any:
    fields: dict[str, Any] = {n: property(itemgetter(i)) for i, n in enumerate(names)}
    return type(name, (Result,), {
        "__slots__": (), "__module__": __name__, "__doc__": f"Results of `{name}`.",
        "_names": names, "n_fields": len(names), "n_sequence_fields": len(names), **fields,
    })  # fmt: skip


max = _result("max", "values", "indices")
min = _result("min", "values", "indices")
median = _result("median", "values", "indices")
nanmedian = _result("nanmedian", "values", "indices")
mode = _result("mode", "values", "indices")
kthvalue = _result("kthvalue", "values", "indices")
sort = _result("sort", "values", "indices")
topk = _result("topk", "values", "indices")
cummax = _result("cummax", "values", "indices")
cummin = _result("cummin", "values", "indices")
aminmax = _result("aminmax", "min", "max")
frexp = _result("frexp", "mantissa", "exponent")
histogram = _result("histogram", "hist", "bin_edges")
histogramdd = _result("histogramdd", "hist", "bin_edges")
qr = _result("qr", "Q", "R")
geqrf = _result("geqrf", "a", "tau")
svd = _result("svd", "U", "S", "V")
lu_unpack = _result("lu_unpack", "P", "L", "U")
triangular_solve = _result("triangular_solve", "solution", "cloned_coefficient")
linalg_cholesky_ex = _result("linalg_cholesky_ex", "L", "info")
linalg_eig = _result("linalg_eig", "eigenvalues", "eigenvectors")
linalg_eigh = _result("linalg_eigh", "eigenvalues", "eigenvectors")
linalg_inv_ex = _result("linalg_inv_ex", "inverse", "info")
linalg_ldl_factor = _result("linalg_ldl_factor", "LD", "pivots")
linalg_ldl_factor_ex = _result("linalg_ldl_factor_ex", "LD", "pivots", "info")
linalg_lstsq = _result("linalg_lstsq", "solution", "residuals", "rank", "singular_values")
linalg_lu = _result("linalg_lu", "P", "L", "U")
linalg_lu_factor = _result("linalg_lu_factor", "LU", "pivots")
linalg_lu_factor_ex = _result("linalg_lu_factor_ex", "LU", "pivots", "info")
linalg_qr = _result("linalg_qr", "Q", "R")
linalg_slogdet = _result("linalg_slogdet", "sign", "logabsdet")
linalg_solve_ex = _result("linalg_solve_ex", "result", "info")
linalg_svd = _result("linalg_svd", "U", "S", "Vh")
slogdet = _result("slogdet", "sign", "logabsdet")
