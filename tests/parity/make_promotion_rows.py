"""Write `tests/tensor/promotion.json` anew: what PyTorch's promotion gives.

Run it by hand: python tests/parity/make_promotion_rows.py
"""

import json
import pathlib

import torch

DTYPES = [
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
]
NUMBERS = {"True": True, "2": 2, "0.5": 0.5}
OPS = {
    "add": torch.add,
    "mul": torch.mul,
    "div": torch.div,
    "pow": torch.pow,
    "lt": torch.lt,
    "maximum": torch.maximum,
}


def value(spec: str):
    """`float32[3]` a tensor, `float32[]` a tensor without axes, `2` a number."""
    if spec in NUMBERS:
        return NUMBERS[spec]
    name, _, rest = spec.partition("[")
    return torch.ones(3 if rest == "3]" else (), dtype=getattr(torch, name))


path_of_this = "tests/parity/make_promotion_rows.py"


def main() -> None:
    """One row for every pair that PyTorch computes."""
    specs = [f"{d}[3]" for d in DTYPES] + [f"{d}[]" for d in DTYPES] + list(NUMBERS)
    rows = []
    for op, f in OPS.items():
        for a in specs:
            for b in specs:
                try:
                    out = f(value(a), value(b))
                except (TypeError, RuntimeError):
                    continue
                rows.append(f"{op} {a} {b} {str(out.dtype).removeprefix('torch.')}")
    for op in ("sum", "mean", "sqrt", "cumsum", "prod", "neg", "abs", "exp", "any", "argmax"):
        for a in DTYPES:
            try:
                out = getattr(torch, op)(value(f"{a}[3]"), *([0] if op == "cumsum" else []))
            except RuntimeError:
                continue
            rows.append(f"{op} {a}[3] - {str(out.dtype).removeprefix('torch.')}")
    how = f"python {path_of_this}, with PyTorch {torch.__version__.partition('+')[0]}"
    path = pathlib.Path(__file__).parents[1] / "tensor" / "promotion.json"
    path.write_text(json.dumps({"how": how, "rows": rows}, indent=0) + "\n")


if __name__ == "__main__":
    main()
