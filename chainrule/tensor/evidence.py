"""What a failing program read, as files: for `chainrule.explain.replay`, in another process too.

    batch.safetensors   the inputs of the program: data, parameters, states of random streams
    finding.json        what was found, the program as text, and what its inputs are

The folder appears whole or not at all. Where it cannot be written, the finding says so: the error
that it belongs to must not be hidden by another.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chainrule import config
from chainrule.ir.graph import topological
from chainrule.ir.interpret import below
from chainrule.ir.node import Node
from chainrule.ir.text import parse, print_graph
from chainrule.tensor.nonfinite import Finding, Place, Range

_ARRAYS, _TEXT = "batch.safetensors", "finding.json"


def save(
    finding: Finding,
    outputs: Sequence[Node],
    arrays: Sequence[np.ndarray],
    places: Mapping[Node, Place],
    name: Callable[[int], str],
) -> tuple[str | None, str]:
    """The folder, or None; and what there is to say about it."""
    if not config.nan_folder:
        return None, "Nothing was saved: config.nan_folder is empty"
    try:
        folder = _write(finding, outputs, arrays, places, name)
    except Exception as error:  # whatever it is, it must not hide what was found
        return None, f"What the program read could not be saved: {error}"
    return folder, f"Saved: chainrule.explain.replay({folder!r}) runs it again, op by op"


def _write(
    finding: Finding,
    outputs: Sequence[Node],
    arrays: Sequence[np.ndarray],
    places: Mapping[Node, Place],
    name: Callable[[int], str],
) -> str:
    from safetensors.numpy import save_file

    above = Path(config.nan_folder)
    above.mkdir(parents=True, exist_ok=True)
    inputs = sorted(
        (n for n in topological(outputs) if n.op.name == "input"), key=lambda n: n.attr("index")
    )
    numbers = [int(n.attr("index")) for n in inputs]
    order = topological(outputs, below=below)
    known = list(dict.fromkeys(places[n] for n in order if n in places))
    rows = {place: i for i, place in enumerate(known)}
    text = {
        "finding": finding_to_json(finding),
        "program": print_graph(outputs, inputs),
        "names": [name(i) for i in numbers],
        "places": [list(place) for place in known],
        "at": [rows[places[n]] if n in places else -1 for n in order],
    }
    making = Path(tempfile.mkdtemp(prefix=".nan-", dir=above))
    try:
        save_file({str(k): _bytes(arrays[i]) for k, i in enumerate(numbers)}, making / _ARRAYS)
        (making / _TEXT).write_text(json.dumps(text, indent=1, ensure_ascii=False), "utf-8")
        making.chmod(0o755)
        return str(_renamed(making, above / time.strftime("nan-%Y%m%d-%H%M%S")))
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise


def _renamed(folder: Path, wanted: Path) -> Path:
    """The folder under the first name of its kind that is free."""
    number = 1
    while True:
        name = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        try:
            if not name.exists():
                os.rename(folder, name)
                return name
        except FileExistsError:  # somebody was quicker
            pass
        number += 1


def _bytes(array: np.ndarray) -> np.ndarray:
    """As a type that the file knows."""
    array = np.ascontiguousarray(array)
    return array if array.dtype.kind in "biuf" else array.reshape(-1).view(np.uint8)


class Saved(NamedTuple):
    """What `save` wrote, read again."""

    finding: Finding
    outputs: tuple[Node, ...]
    arrays: list[np.ndarray]
    places: dict[Node, Place]
    names: list[str]


def load(folder: str | os.PathLike[str]) -> Saved:
    """Read what was saved. No code in it is run."""
    from safetensors.numpy import load_file

    text = json.loads((Path(folder) / _TEXT).read_text("utf-8"))
    stored = load_file(Path(folder) / _ARRAYS)
    graph = parse(text["program"])
    arrays = [
        stored[str(k)].reshape(-1).view(n.dtype.np).reshape(n.shape)
        for k, n in enumerate(graph.inputs)
    ]
    order = topological(graph.outputs, below=below)
    known_places = [place_from_json(p) for p in text["places"]]
    places = {n: known_places[i] for n, i in zip(order, text["at"], strict=True) if i >= 0}
    return Saved(finding_from_json(text["finding"]), graph.outputs, arrays, places, text["names"])


def finding_to_json(finding: Finding) -> dict[str, Any]:
    """As what JSON can hold."""
    return {
        **finding._asdict(),
        "place": finding.place and list(finding.place),
        "output": list(finding.output),
        "inputs": [list(r) for r in finding.inputs],
        "next": finding.next and [finding.next[0], finding.next[1] and list(finding.next[1])],
    }


def finding_from_json(text: Mapping[str, Any]) -> Finding:
    """The inverse."""
    after = text["next"]
    return Finding(
        **{
            **text,
            "place": text["place"] and place_from_json(text["place"]),
            "output": _range(text["output"]),
            "inputs": tuple(_range(r) for r in text["inputs"]),
            "next": after and (after[0], after[1] and place_from_json(after[1])),
        }
    )


def place_from_json(parts: Sequence[Any]) -> Place:
    """A place from the list that it was written as."""
    op, layer, lines, gradient = parts
    return Place(op, layer, tuple(lines), gradient)


def _range(parts: Sequence[Any]) -> Range:
    *numbers, first = parts
    return Range._make([*numbers, tuple(first)])
