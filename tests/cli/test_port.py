"""`chainrule port` changes import lines, and nothing else."""

import json

import pytest

from chainrule.cli.main import main
from chainrule.cli.port import ported


@pytest.mark.parametrize(("theirs", "ours"), [
    ("import torch", "import chainrule as torch"),
    ("import torch as t", "import chainrule as t"),
    ("import torch.nn as nn", "import chainrule.nn as nn"),
    ("import torch.nn", "import chainrule.nn, chainrule as torch"),
    ("import os, torch, sys", "import os, chainrule as torch, sys"),
    ("import torch, torch.nn", "import chainrule as torch, chainrule.nn"),
    ("from torch import nn, optim", "from chainrule import nn, optim"),
    ("from torch.utils.data import (\n    DataLoader,  # loads\n    Dataset)",
     "from chainrule.utils.data import (\n    DataLoader,  # loads\n    Dataset)"),
    ("import torchvision", "import chainrule.vision as torchvision"),
    ("import torchvision.transforms as T", "import chainrule.vision.transforms as T"),
    ("from einops.layers.torch import Rearrange", "from einops.layers.chainrule import Rearrange"),
    ("import tensorflow as tf", "import chainrule as tf"),
    ("from tensorflow import keras", "from chainrule import keras"),
    ("from tensorflow.keras import layers", "from chainrule.keras import layers"),
    ("from keras.layers import Dense", "from chainrule.keras.layers import Dense"),
    ("import keras", "import chainrule.keras as keras"),
    ("try:\n    import torch; x = 'é'; import torch.fft\nexcept ImportError: pass  # import torch",
     "try:\n    import chainrule as torch; x = 'é'; import chainrule.fft, chainrule as torch\n"
     "except ImportError: pass  # import torch"),
])  # fmt: skip
def test_an_import_line_names_our_package(theirs, ours):
    assert ported(theirs) == ours


@pytest.mark.parametrize("text", [
    "import torchtext", "from .torch import x", "from torchmetrics import F1", "s = 'import torch'",
    "import numpy as np\r\nx = 1\r\n", "# import torch\n", "",
    "x = (7\n     % 2)\n",
])  # fmt: skip
def test_everything_else_stays_as_it_is(text):
    assert ported(text) == text


def test_a_notebook_keeps_its_magics(tmp_path):
    cell = {"cell_type": "code", "source": ["%matplotlib inline\n", "import torch\n", "!ls"]}
    text = {"cell_type": "markdown", "source": ["import torch"]}
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [cell, text]}))
    assert main(["port", str(tmp_path / "a.ipynb"), "-o", str(tmp_path / "b.ipynb")]) == 0
    code, markdown = json.loads((tmp_path / "b.ipynb").read_text())["cells"]
    assert code["source"] == ["%matplotlib inline\n", "import chainrule as torch\n", "!ls"]
    assert markdown == text


def test_a_folder_is_copied_and_the_program_itself_never_changed(tmp_path, capsys):
    source = tmp_path / "program"
    (source / "parts").mkdir(parents=True)
    (source / "main.py").write_text("import torch\nfrom parts import net\n")
    (source / "parts" / "old.py").write_text("print 'Python 2'\n")
    (source / "data.bin").write_bytes(b"\xff")
    assert main(["port", str(source), "-o", str(tmp_path / "ours")]) == 0
    assert (source / "main.py").read_text().startswith("import torch\n")
    assert (tmp_path / "ours" / "main.py").read_text().startswith("import chainrule as torch\n")
    assert (tmp_path / "ours" / "data.bin").read_bytes() == b"\xff"
    said = capsys.readouterr()
    assert "1 files" in said.out and "old.py" in said.err


def test_what_is_in_the_way_is_said(tmp_path, capsys):
    (tmp_path / "bad.py").write_text("def f(:\n")
    assert main(["port", str(tmp_path / "bad.py")]) == 1
    assert "bad.py cannot be read as Python" in capsys.readouterr().err
    assert main(["port", str(tmp_path)]) == 2
    assert main(["port", str(tmp_path), "-o", str(tmp_path)]) == 1
    assert "exists" in capsys.readouterr().err
