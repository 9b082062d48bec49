"""`import chainrule` loads what every program needs, and nothing that only some do."""

import subprocess
import sys

import pytest

#: What `import chainrule` must not load: libraries of ours, and slow parts of the standard one.
HEAVY = {
    "llvmlite", "ml_dtypes", "rich", "click", "safetensors", "platformdirs", "PIL", "numpy.random",
    "concurrent.futures", "importlib.metadata", "multiprocessing", "urllib.request", "zipfile",
}  # fmt: skip
ROOMS = ("autograd", "datasets", "explain", "keras", "models", "nn", "optim", "training", "utils")


def run(program: str) -> list[str]:
    """What a program prints, in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.split()


def test_nothing_heavy_is_loaded() -> None:
    loaded = set(run("import chainrule, sys; print(*sys.modules)"))
    assert not loaded & HEAVY
    assert not loaded & {f"chainrule.{room}" for room in (*ROOMS, "schedule", "backends.llvm")}


def test_ordinary_types_need_no_library() -> None:
    program = (
        "import chainrule as torch, sys; (torch.ones(2) * torch.finfo(torch.float32).eps).numpy();"
        "torch.bfloat16.itemsize; assert 'ml_dtypes' not in sys.modules;"
        "x = torch.ones(2, dtype=torch.bfloat16);"
        "print(x.float().sum().item(), 'ml_dtypes' in sys.modules)"
    )
    assert run(program) == ["2.0", "True"]


@pytest.mark.parametrize(
    "line",
    [
        "import chainrule as torch; torch.nn.Linear(2, 2), torch.optim.Adam, torch.save",
        "import chainrule as tf; tf.keras.layers.Dense(2)",
        "import chainrule as torch; torch.utils.data.DataLoader, torch.autograd.grad, torch.conv2d",
        "from chainrule import keras, nn, explain; keras.Model, nn.Linear, explain.formula",
        "from chainrule.nn import Linear, functional; import chainrule.optim as optim; optim.SGD",
        "import chainrule.utils.data; chainrule.utils.data.Dataset, chainrule.linalg",
    ],
)
def test_rooms_come_when_they_are_named(line: str) -> None:
    assert run(f"{line}; print('ok')") == ["ok"]


def test_names_that_are_not_loaded_can_be_listed() -> None:
    names = set(run("import chainrule; print(*dir(chainrule))"))
    assert {*ROOMS, "save", "load", "relu", "conv2d", "tensor", "float32"} <= names


def test_a_name_that_does_not_exist_is_an_error() -> None:
    assert run("import chainrule; print(hasattr(chainrule, 'no_such_name'))") == ["False"]
