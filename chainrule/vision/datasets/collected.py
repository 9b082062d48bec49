"""Image files with one class each, second part: Caltech, Omniglot, Places, ImageNet, faces, …"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from chainrule.errors import DataError
from chainrule.serialization import load, save
from chainrule.vision.datasets.folder import Files, ImageFolder, default_loader
from chainrule.vision.datasets.utils import (
    Archive,
    check_integrity,
    download_and_extract_archive,
    extract_archive,
    home,
    package,
    prepared,
    verify_str_arg,
)
from chainrule.vision.datasets.vision import Function, Loader, Name
from chainrule.vision.images import pil_module


class Caltech101(Files):
    """9,144 pictures in 101 classes (L. Fei-Fei et al., 2004): `root/caltech101/`.

    `target_type` is category, annotation (the contour, read by SciPy) or a list of both.
    """

    _URL = "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip"
    _MD5 = "3138e1922a9193bfa496528edbbc45d0"

    def __init__(
        self,
        root: Name,
        target_type: list[str] | str = "category",
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
    ) -> None:
        place = os.path.join(os.path.expanduser(root), "caltech101")
        super().__init__(place, transform=transform, target_transform=target_transform)
        types = [target_type] if isinstance(target_type, str) else target_type
        self.target_type = [
            verify_str_arg(t, "target_type", ("category", "annotation")) for t in types
        ]
        needed = ["caltech101/101_ObjectCategories"]
        if download and home(root, needed) is None:
            _fetch_caltech101(self._URL, self._MD5, Path(place))
        base = prepared("Caltech101", root, needed, [], False)
        self._base = base / "caltech101"
        folder = base / needed[0]
        self.categories = sorted(
            p.name for p in folder.iterdir() if p.is_dir() and p.name != "BACKGROUND_Google"
        )
        other = {
            "Faces": "Faces_2",
            "Faces_easy": "Faces_3",
            "Motorbikes": "Motorbikes_16",
            "airplanes": "Airplanes_Side_2",
        }
        self.annotation_categories = [other.get(name, name) for name in self.categories]
        self.index: list[int] = []
        self.y: list[int] = []
        for i, name in enumerate(self.categories):
            n = len(list((folder / name).iterdir()))
            self.index += range(1, n + 1)
            self.y += [i] * n
        self._samples = [
            (folder / self.categories[y] / f"image_{k:04d}.jpg", y)
            for y, k in zip(self.y, self.index, strict=True)
        ]
        self.loader = unconverted

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, label = self._samples[index]
        parts = [label if t == "category" else self._contour(index) for t in self.target_type]
        target = tuple(parts) if len(parts) > 1 else parts[0]
        return self.transformed(self.loader(path), target)

    def _contour(self, index: int) -> Any:
        loadmat = package("scipy.io", "Caltech101's annotations").loadmat
        folder = self._base / "Annotations" / self.annotation_categories[self.y[index]]
        return loadmat(folder / f"annotation_{self.index[index]:04d}.mat")["obj_contour"]

    def extra_repr(self) -> str:
        return f"Target type: {self.target_type}"


def _fetch_caltech101(url: str, md5: str, place: Path) -> None:
    """The archive holds two archives."""
    download_and_extract_archive(url, place, filename="caltech-101.zip", md5=md5)
    for inner in sorted((place / "caltech-101").glob("*.gz")):
        extract_archive(inner, place, remove_finished=True)


class Caltech256(Files):
    """30,607 pictures in 257 classes (G. Griffin et al., 2007): `root/caltech256/`."""

    _URL = "https://data.caltech.edu/records/nyy15-4j048/files/256_ObjectCategories.tar"
    _MD5 = "67b4f42ca05d46448c6bb8ecd2220f6d"

    def __init__(
        self,
        root: Name,
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
    ) -> None:
        place = os.path.join(os.path.expanduser(root), "caltech256")
        super().__init__(place, transform=transform, target_transform=target_transform)
        needed = ["caltech256/256_ObjectCategories"]
        archives = [Archive(self._URL, self._MD5, "caltech256")]
        folder = prepared("Caltech256", root, needed, archives, download) / needed[0]
        self.categories = sorted(p.name for p in folder.iterdir() if p.is_dir())
        self.index: list[int] = []
        self.y: list[int] = []
        for i, name in enumerate(self.categories):
            n = len(list((folder / name).glob("*.jpg")))
            self.index += range(1, n + 1)
            self.y += [i] * n
        self._samples = [
            (folder / self.categories[y] / f"{y + 1:03d}_{k:04d}.jpg", y)
            for y, k in zip(self.y, self.index, strict=True)
        ]
        self.loader = unconverted


class Omniglot(Files):
    """32,460 handwritten letters of 50 alphabets (B. Lake et al., 2015): `root/omniglot-py/`.

    `background` is the set of 30 alphabets to learn from; without it, the 20 others.
    """

    folder = "omniglot-py"
    download_url_prefix = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
    zips_md5 = {  # noqa: RUF012
        "images_background": "68d2efa1b9178cc56df9314c21c6e718",
        "images_evaluation": "6b91aef0f799c5bb55b94e3f2daec811",
    }

    def __init__(
        self,
        root: Name,
        background: bool = True,
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
        loader: Loader | None = None,
    ) -> None:
        place = os.path.join(os.path.expanduser(root), self.folder)
        super().__init__(place, transform=transform, target_transform=target_transform)
        self.background = background
        which = "images_background" if background else "images_evaluation"
        url = f"{self.download_url_prefix}/{which}.zip"
        archives = [Archive(url, self.zips_md5[which], self.folder)]
        needed = [f"{self.folder}/{which}"]
        base = prepared("Omniglot", root, needed, archives, download)
        self.target_folder = str(base / needed[0])
        letters = sorted(p for p in (base / needed[0]).glob("*/*") if p.is_dir())
        self._characters = [str(p.relative_to(base / needed[0])) for p in letters]
        self._samples = [
            (path, i) for i, letter in enumerate(letters) for path in sorted(letter.glob("*.png"))
        ]
        self.loader = grey if loader is None else loader


class Places365(Files):
    """Scenes in 365 classes (B. Zhou et al., 2017): `split` train-standard, train-challenge, val or
    test; `small` for 256 × 256 pixels.
    """

    _SPLITS = ("train-standard", "train-challenge", "val", "test")
    _BASE_URL = "http://data.csail.mit.edu/places/places365/"
    _DEVKIT = {  # noqa: RUF012
        "standard": "35a0585fee1fa656440f3ab298f8479c",
        "challenge": "70a8307e459c3de41690a7c76c931734",
    }
    _LISTS = {  # noqa: RUF012
        "train-standard": "places365_train_standard.txt",
        "train-challenge": "places365_train_challenge.txt",
        "val": "places365_val.txt",
        "test": "places365_test.txt",
    }
    _IMAGES = {  # noqa: RUF012
        ("train-standard", False): (
            "train_large_places365standard.tar",
            "67e186b496a84c929568076ed01a8aa1",
        ),
        ("train-challenge", False): (
            "train_large_places365challenge.tar",
            "605f18e68e510c82b958664ea134545f",
        ),
        ("val", False): ("val_large.tar", "9b71c4993ad89d2d8bcbdc4aef38042f"),
        ("test", False): ("test_large.tar", "41a4b6b724b1d2cd862fb3871ed59913"),
        ("train-standard", True): (
            "train_256_places365standard.tar",
            "53ca1c756c3d1e7809517cc47c5561c5",
        ),
        ("train-challenge", True): (
            "train_256_places365challenge.tar",
            "741915038a5e3471ec7332404dfb64ef",
        ),
        ("val", True): ("val_256.tar", "e27b17d8d44f4af9a78502beb927f808"),
        ("test", True): ("test_256.tar", "f532f6ad7b582262a2ec8009075e186b"),
    }

    def __init__(
        self,
        root: Name,
        split: str = "train-standard",
        small: bool = False,
        download: bool = False,
        transform: Function | None = None,
        target_transform: Function | None = None,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split, "split", self._SPLITS)
        self.small = small
        self.loader = loader
        kit = f"filelist_places365-{self.variant}.tar"
        archives = [Archive(self._BASE_URL + kit, self._DEVKIT[self.variant])]
        needed = ["categories_places365.txt", self._LISTS[split]]
        base = prepared("Places365", root, needed, archives, download)
        rows = (line.split() for line in (base / needed[0]).read_text().splitlines())
        self.class_to_idx = {name: int(number) for name, number in rows}
        self.classes = sorted(self.class_to_idx)
        folder = os.path.basename(self.images_dir)
        if download and not (base / folder).exists():
            name, md5 = self._IMAGES[split, small]
            download_and_extract_archive(self._BASE_URL + name, base, md5=md5)
            if split.startswith("train"):
                (base / folder.rpartition("_")[0]).rename(base / folder)
        self.imgs: list[tuple[str, int | None]] = []
        for line in (base / needed[1]).read_text().splitlines():
            name, *number = line.split()
            path = os.path.join(base, folder, name.lstrip("/"))
            self.imgs.append((path, int(number[0]) if number else None))
        self.targets = [target for _, target in self.imgs]
        self._samples = self.imgs

    @property
    def variant(self) -> str:
        """standard or challenge."""
        return "challenge" if "challenge" in self.split else "standard"

    @property
    def images_dir(self) -> str:
        """Where the images of this split lie."""
        size = "256" if self.small else "large"
        train = self.split.startswith("train")
        folder = f"data_{size}_{self.variant}" if train else f"{self.split}_{size}"
        return os.path.join(self.root, folder)

    def extra_repr(self) -> str:
        return f"Split: {self.split}\nSmall: {self.small}"


def unconverted(path: Any) -> Any:
    """The image in a file in the mode that it has."""
    image = pil_module("image files are read").open(path)
    image.load()
    return image


def grey(path: Any) -> Any:
    """The image in a file, grey."""
    return unconverted(path).convert("L")


class ImageNet(ImageFolder):
    """The 1,281,167 + 50,000 photographs of ILSVRC 2012 (O. Russakovsky et al., 2015).

    `root/train/<wnid>/….JPEG` and `root/val/<wnid>/….JPEG`, as unpacked or from the archives that
    the makers hand out, which are unpacked into `root` the first time. They cannot be downloaded.

    `wnids` are the folders, `classes` the words for each (where `root/meta.bin` or the devkit is
    there, read by SciPy; else the wnids).
    """

    _ARCHIVES = {  # noqa: RUF012
        "train": ("ILSVRC2012_img_train.tar", "1d675b47d978889d74fa0da5fadfb00e"),
        "val": ("ILSVRC2012_img_val.tar", "29b22e2961454d5413ddabcf34fc5622"),
        "devkit": ("ILSVRC2012_devkit_t12.tar.gz", "fa75699e90414af021442c21a62c3abf"),
    }

    def __init__(self, root: Name, split: str = "train", **kwargs: Any) -> None:
        self.root = os.path.expanduser(root)
        self.split = verify_str_arg(split, "split", ("train", "val"))
        meta = self._meta()
        if not os.path.isdir(self.split_folder):
            self._unpack(meta)
        super().__init__(self.split_folder, **kwargs)
        self.root = os.path.expanduser(root)
        self.wnids = self.classes
        self.wnid_to_idx = self.class_to_idx
        words = {} if meta is None else meta[0]
        self.classes = [tuple(words.get(wnid, (wnid,))) for wnid in self.wnids]
        self.class_to_idx = {name: i for i, names in enumerate(self.classes) for name in names}

    @property
    def split_folder(self) -> str:
        """Where the folders of this split lie."""
        return os.path.join(self.root, self.split)

    def _archive(self, which: str) -> str:
        name, md5 = self._ARCHIVES[which]
        path = os.path.join(self.root, name)
        if not check_integrity(path, md5):
            raise DataError(
                f"The archive {name} is not present in the root directory or is corrupted. You "
                f"need to download it externally and place it in {self.root}."
            )
        return path

    def _meta(self) -> Any:
        """(wnid → words, the wnid of each validation image), or None where nobody has them."""
        kept = os.path.join(self.root, "meta.bin")
        if os.path.isfile(kept):
            return load(kept, weights_only=True)
        if not os.path.isfile(os.path.join(self.root, self._ARCHIVES["devkit"][0])):
            return None
        found = _devkit(self._archive("devkit"))
        save(found, kept)
        return found

    def _unpack(self, meta: Any) -> None:
        if self.split == "train":
            extract_archive(self._archive("train"), self.split_folder)
            for inner in sorted(Path(self.split_folder).glob("*.tar")):
                extract_archive(inner, inner.with_suffix(""), remove_finished=True)
            return
        if meta is None:
            self._archive("devkit")  # raises what is missing
        part = f"{self.split_folder}.unpacking"
        extract_archive(self._archive("val"), part)
        for wnid, image in zip(meta[1], sorted(Path(part).iterdir()), strict=True):
            (Path(part) / wnid).mkdir(exist_ok=True)
            image.rename(Path(part) / wnid / image.name)
        os.rename(part, self.split_folder)

    def extra_repr(self) -> str:
        return f"Split: {self.split}"


def _devkit(archive: str) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    loadmat = package("scipy.io", "ImageNet's devkit, a MATLAB structure,").loadmat
    with tempfile.TemporaryDirectory() as place:
        extract_archive(archive, place)
        data = Path(place) / "ILSVRC2012_devkit_t12" / "data"
        rows = loadmat(data / "meta.mat", squeeze_me=True)["synsets"]
        leaves = [row for row in rows if row[4] == 0]  # without children
        names = {int(row[0]): str(row[1]) for row in leaves}
        words = {str(row[1]): tuple(str(row[2]).split(", ")) for row in leaves}
        truth = (data / "ILSVRC2012_validation_ground_truth.txt").read_text().split()
        return words, [names[int(number)] for number in truth]


class INaturalist(Files):
    """Animals and plants: `root/<version>/`, where the folders of 2021 name kingdom to species.

    `target_type` is full, or one of kingdom, phylum, class, order, family, genus (2021), or super
    (before); or a list of them.
    """

    _CATEGORIES = ("kingdom", "phylum", "class", "order", "family", "genus")
    _BASE = "https://ml-inat-competition-datasets.s3.amazonaws.com/"
    _ARCHIVES = {  # noqa: RUF012
        "2017": ("2017/train_val_images.tar.gz", "7c784ea5e424efaec655bd392f87301f"),
        "2018": ("2018/train_val2018.tar.gz", "b1c6952ce38f31868cc50ea72d066cc3"),
        "2019": ("2019/train_val2019.tar.gz", "c60a6e2962c9b8ccbd458d12c8582644"),
        "2021_train": ("2021/train.tar.gz", "e0526d53c7f7b2e3167b2b43bb2690ed"),
        "2021_train_mini": ("2021/train_mini.tar.gz", "db6ed8330e634445efc8fec83ae81442"),
        "2021_valid": ("2021/val.tar.gz", "f6f6e0e242e3d4c9569ba56400938afc"),
    }

    def __init__(
        self,
        root: Name,
        version: str = "2021_train",
        target_type: list[str] | str = "full",
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
        loader: Loader | None = None,
    ) -> None:
        self.version = verify_str_arg(version, "version", self._ARCHIVES)
        place = os.path.join(os.path.expanduser(root), version)
        super().__init__(place, transform=transform, target_transform=target_transform)
        if download and not os.path.isdir(place):
            name, md5 = self._ARCHIVES[version]
            download_and_extract_archive(self._BASE + name, os.path.expanduser(root), md5=md5)
            unpacked = os.path.basename(name).removesuffix(".tar.gz")
            os.rename(os.path.join(os.path.expanduser(root), unpacked), place)
        base = prepared("INaturalist", root, [version], [], False) / version
        ranks = self._CATEGORIES if version.startswith("2021") else ("super",)
        types = [target_type] if isinstance(target_type, str) else target_type
        self.target_type = [verify_str_arg(t, "target_type", ("full", *ranks)) for t in types]
        depth = "*" if version.startswith("2021") else "*/*"
        folders = sorted(p for p in base.glob(depth) if p.is_dir())
        self.all_categories = [str(p.relative_to(base)) for p in folders]
        self.categories_index: dict[str, dict[str, int]] = {rank: {} for rank in ranks}
        self.categories_map: list[dict[str, int]] = []
        for name in self.all_categories:
            if version.startswith("2021"):
                pieces = name.split("_")
                if len(pieces) != 8:
                    raise RuntimeError(f"Unexpected category name {name}, wrong number of pieces")
                names = ["_".join(pieces[1 : i + 2]) for i in range(len(ranks))]
            else:
                names = [os.path.dirname(name)]
            numbers = ((rank, self.categories_index[rank]) for rank in ranks)
            self.categories_map.append(
                {
                    rank: known.setdefault(own, len(known))
                    for (rank, known), own in zip(numbers, names, strict=True)
                }
            )
        self._samples = [
            (path, i) for i, folder in enumerate(folders) for path in sorted(folder.iterdir())
        ]
        self.index = [(label, path.name) for path, label in self._samples]
        self.loader = unconverted if loader is None else loader

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, category = self._samples[index]
        parts = [
            category if t == "full" else self.categories_map[category][t] for t in self.target_type
        ]
        target = tuple(parts) if len(parts) > 1 else parts[0]
        return self.transformed(self.loader(path), target)

    def category_name(self, category_type: str, category_id: int) -> str:
        """The name of a category."""
        if category_type == "full":
            return self.all_categories[category_id]
        if category_type not in self.categories_index:
            raise ValueError(f"Invalid category type '{category_type}'")
        for name, number in self.categories_index[category_type].items():
            if number == category_id:
                return name
        raise ValueError(f"Invalid category id {category_id} for {category_type}")


class _LFW(Files):
    """Labelled Faces in the Wild (G. Huang et al., 2007): `root/lfw-py/`, brought by hand."""

    base_folder = "lfw-py"
    _IMAGES = {  # noqa: RUF012
        "original": "lfw",
        "funneled": "lfw_funneled",
        "deepfunneled": "lfw-deepfunneled",
    }
    _view: str

    def __init__(
        self,
        root: Name,
        split: str = "10fold",
        image_set: str = "funneled",
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        place = os.path.join(os.path.expanduser(root), self.base_folder)
        super().__init__(place, transform=transform, target_transform=target_transform)
        self.image_set = verify_str_arg(image_set.lower(), "image_set", self._IMAGES)
        self.split = verify_str_arg(split.lower(), "split", ["10fold", "train", "test"])
        if download:
            raise ValueError(
                "LFW dataset is no longer available for automatic download. Please download the "
                "dataset manually and place it in the specified directory. A commonly used mirror "
                "is available at: https://www.kaggle.com/datasets/jessicali9530/lfw-dataset"
            )
        part = {"10fold": "", "train": "DevTrain", "test": "DevTest"}[self.split]
        self.labels_file = f"{self._view}{part}.txt"
        folder = self._IMAGES[self.image_set]
        needed = [f"{self.base_folder}/{name}" for name in (folder, self.labels_file)]
        self._base = prepared(type(self).__name__, root, needed, [], False) / self.base_folder
        self.images_dir = str(self._base / folder)
        self.loader = loader
        self._read((self._base / self.labels_file).read_text().splitlines())
        self.data: list[Any] = [path for path, _ in self._samples]
        self.targets = [label for _, label in self._samples]

    def _read(self, lines: list[str]) -> None:
        """Fill `_samples` from the list of labels."""
        raise NotImplementedError

    def _path(self, identity: str, number: Any) -> str:
        return os.path.join(self.images_dir, identity, f"{identity}_{int(number):04d}.jpg")

    def extra_repr(self) -> str:
        return f"Alignment: {self.image_set}\nSplit: {self.split}"


class LFWPeople(_LFW):
    """Faces, each with the number of the person."""

    _view = "people"

    def _read(self, lines: list[str]) -> None:
        names = (self._base / "lfw-names.txt").read_text().splitlines()
        self.class_to_idx = {line.split()[0]: i for i, line in enumerate(names)}
        folds, at = (int(lines[0]), 1) if self.split == "10fold" else (1, 0)
        self._samples = []
        for _ in range(folds):
            n = int(lines[at])
            for line in lines[at + 1 : at + n + 1]:
                person, count = line.split("\t")
                self._samples += [
                    (self._path(person, k), self.class_to_idx[person])
                    for k in range(1, int(count) + 1)
                ]
            at += n + 1

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}\nClasses (identities): {len(self.class_to_idx)}"


class LFWPairs(_LFW):
    """Pairs of faces; 1 where they are of one person, 0 where of two."""

    _view = "pairs"

    def _read(self, lines: list[str]) -> None:
        first = lines[0].split("\t")
        folds, n = (int(first[0]), int(first[1])) if len(first) > 1 else (1, int(first[0]))
        self._samples, self.pair_names = [], []
        for line in lines[1 : 1 + 2 * n * folds]:
            words = line.strip().split("\t")
            if len(words) == 3:
                words = [words[0], words[1], words[0], words[2]]
            one, two = self._path(words[0], words[1]), self._path(words[2], words[3])
            self._samples.append(((one, two), int(words[0] == words[2])))
            self.pair_names.append((words[0], words[2]))

    def __getitem__(self, index: int) -> Any:
        paths, target = self._samples[index]
        one, two = (self.loader(path) for path in paths)
        if self.transform is not None:
            one, two = self.transform(one), self.transform(two)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return one, two, target
