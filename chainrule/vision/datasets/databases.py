"""Images in databases, each read by a package of its own: LSUN (lmdb), PatchCamelyon (h5py)."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from chainrule.vision.datasets.utils import (
    _decompress,
    download_file_from_google_drive,
    home,
    missing,
    package,
    verify_str_arg,
)
from chainrule.vision.datasets.vision import Function, Name, VisionDataset
from chainrule.vision.images import make_image, pil_module


class LSUNClass(VisionDataset):
    """One class of LSUN: a folder with an LMDB database of encoded images."""

    def __init__(
        self,
        root: Name,
        transform: Function | None = None,
        target_transform: Function | None = None,
    ) -> None:
        lmdb = package("lmdb", "LSUN")
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.env = lmdb.open(
            os.fspath(root), max_readers=1, readonly=True, lock=False, readahead=False
        )
        with self.env.begin(write=False) as look:
            self.keys = list(look.cursor().iternext(keys=True, values=False))
        self.length = len(self.keys)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        with self.env.begin(write=False) as look:
            data = look.get(self.keys[index])
        image = pil_module("images are decoded").open(io.BytesIO(data)).convert("RGB")
        return self.transformed(image, None)

    def __len__(self) -> int:
        return self.length


class LSUN(VisionDataset):
    """Scenes (F. Yu et al., 2015): `root/<class>_<split>_lmdb/`.

    `classes` is train, val, test, or a list such as ["bedroom_train", "kitchen_train"].
    """

    _CATEGORIES = (
        *("bedroom", "bridge", "church_outdoor", "classroom", "conference_room"),
        *("dining_room", "kitchen", "living_room", "restaurant", "tower"),
    )

    def __init__(
        self,
        root: Name,
        classes: str | list[str] = "train",
        transform: Function | None = None,
        target_transform: Function | None = None,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.classes = self._chosen(classes)
        places = (os.path.join(self.root, f"{name}_lmdb") for name in self.classes)
        self.dbs = [LSUNClass(place, transform=transform) for place in places]
        self.indices: list[int] = []
        for db in self.dbs:
            self.indices.append(len(db) + (self.indices[-1] if self.indices else 0))
        self.length = self.indices[-1] if self.indices else 0

    def _chosen(self, classes: Any) -> list[str]:
        if isinstance(classes, str):
            verify_str_arg(classes, "classes", ["train", "val", "test"])
            if classes == "test":
                return [classes]
            return [f"{name}_{classes}" for name in self._CATEGORIES]
        for name in classes:
            category, _, part = verify_str_arg(name, "classes").rpartition("_")
            verify_str_arg(category, "LSUN class", self._CATEGORIES)
            verify_str_arg(part, "postfix", ["train", "val", "test"])
        return list(classes)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        number = next(i for i, end in enumerate(self.indices) if index < end)
        start = self.indices[number - 1] if number else 0
        image, _ = self.dbs[number][index - start]
        target: Any = number
        return image, target if self.target_transform is None else self.target_transform(target)

    def __len__(self) -> int:
        return self.length

    def extra_repr(self) -> str:
        return f"Classes: {self.classes}"


class PCAM(VisionDataset):
    """327,680 patches of tissue, 96 × 96, with or without tumour (B. Veeling et al., 2018)."""

    _FILES = {  # noqa: RUF012  # split: ((file, Google Drive's number, MD5) of images, of labels)
        "train": (
            (
                "camelyonpatch_level_2_split_train_x.h5",
                "1Ka0XfEMiwgCYPdTI-vv6eUElOBnKFKQ2",
                "1571f514728f59376b705fc836ff4b63",
            ),
            (
                "camelyonpatch_level_2_split_train_y.h5",
                "1269yhu3pZDP8UYFQs-NYs3FPwuK-nGSG",
                "35c2d7259d906cfc8143347bb8e05be7",
            ),
        ),
        "test": (
            (
                "camelyonpatch_level_2_split_test_x.h5",
                "1qV65ZqZvWzuIVthK8eVDhIwrbnsJdbg_",
                "d8c2d60d490dbd479f8199bdfa0cf6ec",
            ),
            (
                "camelyonpatch_level_2_split_test_y.h5",
                "17BHrSrwWKjYsOgTMmoqrIjDy6Fa2o_gP",
                "60a7035772fbdb7f34eb86d4420cf66a",
            ),
        ),
        "val": (
            (
                "camelyonpatch_level_2_split_valid_x.h5",
                "1hgshYGWK8V-eGRy8LToWJJgDU_rXWVJ3",
                "d5b63470df7cfa627aeec8b9dc0c066e",
            ),
            (
                "camelyonpatch_level_2_split_valid_y.h5",
                "1bH8ZRbhSVAhScTS0p9-ZzGnX91cHT3uO",
                "2b85f58b927af9964a4c15b8f7e8f179",
            ),
        ),
    }

    def __init__(
        self,
        root: Name,
        split: str = "train",
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
    ) -> None:
        h5py = package("h5py", "PCAM")
        self._split = verify_str_arg(split, "split", ("train", "test", "val"))
        super().__init__(root, transform=transform, target_transform=target_transform)
        files = self._FILES[split]
        needed = [f"pcam/{name}" for name, _, _ in files]
        base = home(root, needed)
        if base is None and download:
            place = Path(self.root) / "pcam"
            for name, number, md5 in files:
                download_file_from_google_drive(number, place, f"{name}.gz", md5)
                _decompress(place / f"{name}.gz")
            base = home(root, needed)
        if base is None:
            raise missing("PCAM", root, needed)
        self._images = h5py.File(base / needed[0], "r")["x"]
        self._targets = h5py.File(base / needed[1], "r")["y"]

    def __getitem__(self, idx: int) -> tuple[Any, Any]:
        image = make_image(self._images[idx])
        return self.transformed(image, int(self._targets[idx, 0, 0, 0]))

    def __len__(self) -> int:
        return int(self._images.shape[0])
