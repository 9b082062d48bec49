"""KerasFileEditor: look into a file of weights, compare it with a model, rename and change parts.

Source: Keras 3, `keras.saving.KerasFileEditor`.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape

from chainrule.io.files import atomic
from chainrule.keras.saving.state import Writer
from chainrule.keras.saving.stores import (
    H5IOStore,
    _safe_zip_read,
    as_array,
    h5py_module,
    read_dataset,
    safe_get_h5_dataset,
    safe_get_h5_group,
)

Tree = dict[str, Any]  # names of parts, then names of weights with their arrays


class KerasFileEditor:
    """The weights of a `.keras` or `.weights.h5` file as a nested dict, to look at and to change.

    Args:
        filepath: the file.

    Methods: `summary()`, `compare(model)`, `rename_object`, `delete_object`, `add_object`,
    `delete_weight`, `add_weights`, and `save(filepath)` for a new `.weights.h5`.
    """

    def __init__(self, filepath: Any) -> None:
        self.filepath = str(filepath)
        self.console = Console(highlight=False)
        self.metadata: Any = None
        self.config: Any = None
        self.model = None
        if self.filepath.endswith(".keras"):
            with zipfile.ZipFile(filepath) as archive:
                self.config = json.loads(_safe_zip_read(archive, "config.json"))
                self.metadata = json.loads(_safe_zip_read(archive, "metadata.json"))
                source: Any = io.BytesIO(_safe_zip_read(archive, "model.weights.h5"))
        elif self.filepath.endswith(".weights.h5"):
            source = self.filepath
        else:
            raise ValueError(
                "Invalid filename: expected a `.keras` or `.weights.h5` extension. "
                f"Received: filepath={filepath}"
            )
        #: What the file says of a part: its name in the model that was saved.
        self.object_metadata: dict[str, dict[str, Any]] = {}
        with h5py_module().File(source, "r") as file:
            self.weights_dict: Tree = self._read(file, "")

    def _read(self, group: Any, path: str) -> Tree:
        h5py = h5py_module()
        found: Tree = {}
        for name in group:
            kind = group.get(name, getclass=True, getlink=True)
            if kind in (h5py.ExternalLink, h5py.SoftLink):
                raise ValueError(f"Not allowed: H5 file with {kind.__name__}")
            inner = f"{path}/{name}" if path else name
            if name == "vars" and isinstance(group[name], h5py.Group):
                part = safe_get_h5_group(group, name)
                self.object_metadata[path] = dict(part.attrs)
                found |= {key: read_dataset(safe_get_h5_dataset(part, key)) for key in part}
            elif isinstance(group[name], h5py.Group):
                part = self._read(safe_get_h5_group(group, name), inner)
                found |= {name: part} if part else {}
            else:
                found[name] = read_dataset(safe_get_h5_dataset(group, name))
        return found

    # looking --------------------------------------------------------------------------------------

    def summary(self) -> None:
        """Print the parts and the shapes of their weights."""
        self.console.print("Weights structure")
        self._print(self.weights_dict, "  ", "")

    def _print(self, tree: Tree, prefix: str, path: str) -> None:
        for index, (name, value) in enumerate(tree.items()):
            last = index == len(tree) - 1
            stem = f"{prefix}{'└─' if last else '├─'} [bold]{escape(name)}[/]"
            inner = f"{path}/{name}" if path else name
            if isinstance(value, dict):
                label = self.object_metadata.get(inner, {}).get("name")
                self.console.print(stem + (f" ('{escape(str(label))}')" if label else ""))
                self._print(value, prefix + ("    " if last else "│   "), inner)
            else:
                self.console.print(f"{stem}: shape={value.shape}, dtype={value.dtype}")

    def compare(self, reference_model: Any) -> dict[str, Any]:
        """`{"status": "success" or "error", "error_count": …, "match_count": …}` beside a model."""
        self.console.print("Running comparison")
        store = _Spec()
        Writer(store).write(reference_model)
        seen: set[str] = set()
        matches: list[str] = []
        errors = [
            *self._differences(self.weights_dict, store.tree, "", "saved file", matches, seen),
            *self._differences(store.tree, self.weights_dict, "", "reference model", [], seen),
        ]
        for line in errors:
            self.console.print(f"...{escape(line)}")
        status = "error" if errors else "success"
        self.console.print(
            f"Found {len(errors)} error(s): saved file is not compatible with the reference model"
            if errors
            else "Comparison successful: saved file is compatible with the reference model"
        )
        return {"status": status, "error_count": len(errors), "match_count": len(matches)}

    def _differences(
        self, target: Tree, wanted: Tree, path: str, name: str, matches: list[str], seen: set[str]
    ) -> Iterator[str]:
        for key, value in wanted.items():
            inner = f"{path}/{key}"
            if inner in seen:
                continue
            if key not in target:
                seen.add(inner)
                what = "Object" if isinstance(value, dict) else "Weight"
                yield f"{what} {inner} is missing from the {name}"
            elif isinstance(value, dict):
                yield from self._differences(target[key], value, inner, name, matches, seen)
            elif np.shape(target[key]) != np.shape(value):
                seen.add(inner)
                yield f"Weight shape mismatch for {inner}: {np.shape(target[key])} in the {name}"
            else:
                matches.append(inner)

    # changing -------------------------------------------------------------------------------------

    def _edit(self, name: str, edit: Callable[[Tree, str], None]) -> None:
        """Apply `edit` to the dict that holds the part of that name or path."""
        if "/" in name:
            *above, last = name.split("/")
            tree: Any = self.weights_dict
            for part in above:
                tree = tree.get(part) if isinstance(tree, dict) else None
            if not isinstance(tree, dict) or last not in tree:
                raise ValueError(f"Path '{name}' not found in model.")
            edit(tree, last)
            return
        found = [tree for tree in _trees(self.weights_dict) if name in tree]
        if len(found) > 1:
            raise ValueError(
                f"Name '{name}' occurs more than once in the model; try passing a complete path"
            )
        if not found:
            raise ValueError(
                f"Source name '{name}' does not appear in the model. Use `editor.summary()` to "
                "list all objects."
            )
        edit(found[0], name)

    def rename_object(self, object_name: str, new_name: str) -> None:
        """Give a part (a name, or a path such as "layers/dense_2") another name."""
        if "/" in new_name:
            raise ValueError(f"`new_name` should be a leaf name, not a path. Received: {new_name}")

        def rename(tree: Tree, name: str) -> None:
            tree[new_name] = tree.pop(name)

        self._edit(object_name, rename)

    def delete_object(self, object_name: str) -> None:
        """Take a part out."""
        self._edit(object_name, lambda tree, name: tree.pop(name))

    def add_object(self, object_path: str, weights: dict[str, Any]) -> None:
        """Put a new part at a path, with its weights by name ("0", "1", …)."""
        if not isinstance(weights, dict):
            raise ValueError(f"Argument `weights` should be a dict. Received: {weights}")
        *above, last = object_path.split("/")
        tree = self.weights_dict
        for part in above:
            if part not in tree:
                raise ValueError(f"Path '{object_path}' not found in model.")
            tree = tree[part]
        tree[last] = {name: np.asarray(value) for name, value in weights.items()}

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Take one weight of a part out."""

        def delete(tree: Tree, name: str) -> None:
            if weight_name not in tree[name]:
                raise ValueError(
                    f"Weight {weight_name} not found in object {object_name}. Weights found: "
                    f"{list(tree[name])}"
                )
            del tree[name][weight_name]

        self._edit(object_name, delete)

    def add_weights(self, object_name: str, weights: dict[str, Any]) -> None:
        """Put weights into a part."""
        if not isinstance(weights, dict):
            raise ValueError(f"Argument `weights` should be a dict. Received: {weights}")
        arrays = {name: np.asarray(value) for name, value in weights.items()}
        self._edit(object_name, lambda tree, name: tree[name].update(arrays))

    def save(self, filepath: Any) -> None:
        """Write what there is now to a new `.weights.h5` file."""
        if not str(filepath).endswith(".weights.h5"):
            raise ValueError(
                "Invalid `filepath` argument: expected a `.weights.h5` extension. "
                f"Received: filepath={filepath}"
            )
        memory = io.BytesIO()
        store = H5IOStore(memory, mode="w")
        for path, weights in _with_paths(self.weights_dict):
            group = store.make(path)
            for name, value in weights.items():
                group[name] = value
        store.close()
        with atomic(Path(filepath)) as file:
            file.write(memory.getbuffer())

    def resave_weights(self, filepath: Any) -> None:
        """The same as `save`."""
        self.save(filepath)


class _Spec:
    """A store that keeps a model's weights as a nested dict."""

    def __init__(self) -> None:
        self.tree: Tree = {}

    def make(self, path: str, metadata: Any = None) -> Any:
        return _SpecGroup(self.tree, path)


class _SpecGroup(dict):
    """The place of a path; parts without weights do not appear."""

    def __init__(self, tree: Tree, path: str) -> None:
        self._tree, self._path = tree, path

    def __setitem__(self, key: str, value: Any) -> None:
        tree = self._tree
        for part in self._path.split("/") if self._path else ():
            tree = tree.setdefault(part, {})
        tree[key] = as_array(value)


def _trees(tree: Tree) -> Iterator[Tree]:
    yield tree
    for value in list(tree.values()):
        if isinstance(value, dict):
            yield from _trees(value)


def _with_paths(tree: Tree, path: str = "") -> Iterator[tuple[str, Tree]]:
    weights = {name: value for name, value in tree.items() if not isinstance(value, dict)}
    if weights:
        yield path, weights
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _with_paths(value, f"{path}/{name}" if path else name)
