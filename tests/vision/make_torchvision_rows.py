"""Ask torchvision what the tests expect: writes `torchvision_rows.npz` beside this file.

Runs where torch and torchvision 0.28 are installed, by hand:

    python tests/vision/make_torchvision_rows.py

torchvision's wheel need not match torch: of its compiled functions none is used.
"""

from __future__ import annotations

import pathlib
import sys
import warnings
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from torchvision_cases import FUNCTIONS, RANDOM, SEEDS, arguments, inputs

HERE = pathlib.Path(__file__).parent


def without_compiled_functions() -> None:
    """Let `import torchvision` pass where its compiled functions do not load."""
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    register = torch.library.register_fake

    def register_fake(name: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(name, str) and name.startswith("torchvision::"):
            return lambda function: function
        return register(name, *args, **kwargs)

    torch.library.register_fake = register_fake


def stored(name: str, found: Any) -> dict[str, Any]:
    parts = found if isinstance(found, tuple) else (found,)
    return {f"{name}/{i}": part.numpy() for i, part in enumerate(parts)}


def main() -> None:
    warnings.simplefilter("ignore")
    without_compiled_functions()
    import torchvision.transforms as T
    import torchvision.transforms.functional as F

    rows: dict[str, Any] = {}
    for kind, array in inputs().items():
        for number, (name, args, kwargs) in enumerate(FUNCTIONS):
            function, given = getattr(F, name), arguments(args, F.InterpolationMode)
            try:
                found = function(torch.from_numpy(array.copy()), *given, **kwargs)
            except TypeError:  # bytes only, or floats only
                continue
            rows |= stored(f"function/{kind}/{number}", found)
        for number, (name, args, kwargs) in enumerate(RANDOM):
            transform = getattr(T, name)(*args, **kwargs)
            for seed in SEEDS:
                torch.manual_seed(seed)
                try:
                    found = transform(torch.from_numpy(array.copy()))
                except TypeError:
                    continue
                rows |= stored(f"random/{kind}/{number}/{seed}", found)
    # one array for each element type: a small file, many small arrays
    names = sorted(rows)
    kinds = {"bytes": np.uint8, "floats": np.float32}
    flat = {
        kind: np.concatenate([rows[n].ravel() for n in names if rows[n].dtype == dtype])
        for kind, dtype in kinds.items()
    }
    shapes = [f"{name} {' '.join(map(str, rows[name].shape))}" for name in names]
    np.savez_compressed(HERE / "torchvision_rows.npz", names=np.array(shapes), **flat)


if __name__ == "__main__":
    main()
