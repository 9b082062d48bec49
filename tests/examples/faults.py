"""The faults of the printed Transformer: what the repaired program says, and what was printed."""

from __future__ import annotations

from pathlib import Path

SEEDS = Path(__file__).resolve().parents[2] / "examples" / "seeds"

_LAYER = "nn.TransformerEncoderLayer(hidden_size, num_heads, "

#: Fault → (repaired, printed) pieces of `transformer.py`.
FAULTS: dict[str, list[tuple[str, str]]] = {
    "1 math is not imported": [("import math  #", "#")],
    "2 math.sqrt gets a tensor": [
        (
            "math.sqrt(self.hidden_size // self.num_heads)",
            "math.sqrt(torch.tensor(self.hidden_size // self.num_heads))",
        )
    ],
    "3 the dropout lands in dim_feedforward": [
        (f"{_LAYER}dropout=dropout, batch_first=True)", f"{_LAYER}dropout, batch_first=True)")
    ],
    "4 a ModuleList is called": [
        (
            "        output = src\n"
            "        for layer in self.layers:\n"
            "            output = layer(output, src_mask)\n",
            "        output = self.layers(src, src_mask)\n",
        )
    ],
    "5 the position encoding overwrites the embedding": [
        ("position = self.position_encoding(", "src = self.position_encoding("),
        ("src + position.unsqueeze(0)", "src + src.unsqueeze(0)"),
    ],
    "6 the mask is all zeros and of the wrong type": [
        (
            "torch.full((src.size(1), src.size(1)), -math.inf).triu(1)",
            "torch.zeros(src.size(0), src.size(1), dtype=torch.long)",
        )
    ],
    "7 unsqueeze breaks the shapes": [
        ("src + position.unsqueeze(0)", "src + position.unsqueeze(1)")
    ],
    "7 the layers are not told that the batch comes first": [
        ("dropout=dropout, batch_first=True)", "dropout=dropout)")
    ],
    "8 the loss wants classes on axis 1": [("return output.transpose(1, 2)", "return output")],
}


def program(name: str) -> str:
    """The printed part of an example, as it stands there."""
    lines = (SEEDS / f"{name}.py").read_text(encoding="utf-8").splitlines(keepends=True)
    begin = next(
        i for i, line in enumerate(lines) if line.startswith("# ── the document's program")
    )
    end = next(i for i, line in enumerate(lines) if line.startswith("# ── the end of"))
    return "".join(lines[begin + 1 : end])


def with_fault(name: str) -> str:
    """The repaired Transformer with one fault put back."""
    text = program("transformer")
    for repaired, printed in FAULTS[name]:
        assert text.count(repaired) == 1, f"{repaired!r} must stand once in transformer.py"
        text = text.replace(repaired, printed)
    return text
