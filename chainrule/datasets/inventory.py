"""What data this machine has at hand, for `chainrule doctor`."""

from __future__ import annotations

from pathlib import Path

from chainrule.datasets import (
    cifar10,
    cifar100,
    housing,
    imdb,
    mnist,
    reuters,
    sequences,
    text,
)
from chainrule.datasets.fetch import DataFile, cache_root, data_root

_CIFAR10_FOLDERS = ("cifar-10-batches-py", "cifar-10-batches-bin")


def overview() -> dict[str, str]:
    """Data set → where it would be read from, or "not here". Looks at names only, reads and hashes
    nothing.

    >>> from chainrule.datasets import overview
    >>> overview()["digits"]
    'inside the package'
    """
    roots = [root for root in (data_root(), cache_root()) if root is not None]
    return {
        "digits": "inside the package",
        "mnist": _where(list(mnist.FILES["MNIST"].values()), roots, ("mnist.npz",)),
        "fashion_mnist": _where(list(mnist.FILES["FashionMNIST"].values()), roots),
        "cifar10": _where([cifar10.ARCHIVE], roots, _CIFAR10_FOLDERS, "cifar10-subset"),
        "cifar100": _where([cifar100.ARCHIVE], roots, ("cifar-100-python",)),
        "boston_housing": _where([housing.BOSTON], roots, ("uci/housing.data",)),
        "california_housing": _where([housing.CALIFORNIA], roots),
        "reuters": _where([reuters.NEWSWIRES], roots),
        "imdb": _where([imdb.REVIEWS], roots, ("imdb/imdb_rebuilt.npz",)),
        "sonar": _where([sequences.SONAR], roots),
        "tiny_shakespeare": _where([text.TINY_SHAKESPEARE], roots),
    }


def _where(
    files: list[DataFile], roots: list[Path], instead: tuple[str, ...] = (), subset: str = ""
) -> str:
    for root in roots:
        for name in instead:
            if (root / name).exists():
                return str(root / name)
    found = [
        next((path for root in roots for path in file.places(root) if path.is_file()), None)
        for file in files
    ]
    if found[0] is not None and None not in found:
        return str(found[0].parent if len(files) > 1 else found[0])
    for root in roots:
        if subset and (root / subset).is_dir():
            return f"{root / subset} (a subset)"
    return "not here"
