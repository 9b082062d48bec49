"""What programs rely on: small programs print the same under PyTorch and under chainrule.

`semantics.txt` holds the programs, each below a line `### what it is about`. `torch`, `nn`, `F`,
`optim` and `np` are there; `T(f)` prints what f() gives, or which exception it raises. Texts of
errors are compared where a program prints them.
"""

import contextlib
import importlib
import io
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

PROGRAMS = dict(
    part.split("\n", 1)
    for part in Path(__file__).with_name("semantics.txt").read_text()[4:].split("\n### ")
)


def kind(error: Exception) -> str:
    """The built-in that a program would catch: chainrule's errors are several at once."""
    return next(
        (k.__name__ for k in (RuntimeError, ValueError) if isinstance(error, k)),
        type(error).__name__,
    )


def printed(program: str, library: str) -> str:
    module = importlib.import_module(library)

    def T(f, *args):
        try:
            result = f(*args)
            print(result if not callable(result) else "")
        except Exception as error:
            print(kind(error))

    names = {
        "torch": module, "nn": importlib.import_module(f"{library}.nn"), "np": np, "T": T,
        "F": importlib.import_module(f"{library}.nn.functional"), "kind": kind,
        "optim": importlib.import_module(f"{library}.optim"), "__name__": "__main__",
    }  # fmt: skip
    program = program.replace("import torch", f"import {library} as torch")
    program = program.replace("from torch", f"from {library}")
    out = io.StringIO()
    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(program, "program", "exec"), names)
    text = out.getvalue().replace("chainrule.", "torch.").replace("'chainrule'", "'torch'")
    text = re.sub(r"0x[0-9a-f]+", "0x", text)
    return re.sub(r"grad_fn=<\w+>", "grad_fn=<>", text)


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_prints_what_pytorch_prints(name):
    pytest.importorskip("torch")
    assert printed(PROGRAMS[name], "chainrule") == printed(PROGRAMS[name], "torch")
