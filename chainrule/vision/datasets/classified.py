"""Image files with one class each: Food-101, textures, cars, aircraft, landscapes, …

All take `root, split, transform, target_transform, download, loader` as in torchvision and look
under `root`, then under CHAINRULE_DATA. `classes` and `class_to_idx` name the classes.
"""

from __future__ import annotations

import csv
import json
import os

from chainrule.vision.datasets.folder import (
    Files,
    ImageFolder,
    default_loader,
    find_classes,
    make_dataset,
)
from chainrule.vision.datasets.matlab import load_mat
from chainrule.vision.datasets.utils import Archive, package, prepared, verify_str_arg
from chainrule.vision.datasets.vision import Function, Loader, Name


def _numbered(classes: list[str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(classes)}


class Food101(Files):
    """101,000 dishes in 101 classes (L. Bossard et al., 2014): `root/food-101/`."""

    _URL = "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz"
    _MD5 = "85eeb15f3717b99a5da872d97d918f87"

    def __init__(
        self,
        root: Name,
        split: str = "train",
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = verify_str_arg(split, "split", ("train", "test"))
        needed = ["food-101/meta", "food-101/images"]
        base = prepared("Food101", root, needed, [Archive(self._URL, self._MD5)], download)
        lists = json.loads((base / f"food-101/meta/{split}.json").read_text())
        self.classes = sorted(lists)
        self.class_to_idx = _numbered(self.classes)
        self._samples = [
            (base / "food-101/images" / f"{name}.jpg", self.class_to_idx[label])
            for label, names in lists.items()
            for name in names
        ]
        self.loader = loader

    def extra_repr(self) -> str:
        return f"split={self._split}"


class DTD(Files):
    """5,640 textures in 47 classes (M. Cimpoi et al., 2014), in ten partitions: `root/dtd/dtd/`."""

    _URL = "https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz"
    _MD5 = "fff73e5086ae6bdbea199a49dfb8a4c1"

    def __init__(
        self,
        root: Name,
        split: str = "train",
        partition: int = 1,
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        self._split = verify_str_arg(split, "split", ("train", "val", "test"))
        if not isinstance(partition, int) or not 1 <= partition <= 10:
            raise ValueError(
                "Parameter 'partition' should be an integer with `1 <= partition <= 10`, but got "
                f"{partition} instead"
            )
        self._partition = partition
        super().__init__(root, transform=transform, target_transform=target_transform)
        archives = [Archive(self._URL, self._MD5, "dtd")]
        base = prepared("DTD", root, ["dtd/dtd"], archives, download) / "dtd/dtd"
        lines = (base / f"labels/{split}{partition}.txt").read_text().split()
        self.classes = sorted({line.split("/")[0] for line in lines})
        self.class_to_idx = _numbered(self.classes)
        self._samples = [
            (base / "images" / line, self.class_to_idx[line.split("/")[0]]) for line in lines
        ]
        self.loader = loader

    def extra_repr(self) -> str:
        return f"split={self._split}, partition={self._partition}"


class Flowers102(Files):
    """8,189 flowers in 102 classes (M.-E. Nilsback, A. Zisserman, 2008): `root/flowers-102/`."""

    _BASE = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
    _splits_map = {"train": "trnid", "val": "valid", "test": "tstid"}  # noqa: RUF012

    def __init__(
        self,
        root: Name,
        split: str = "train",
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = verify_str_arg(split, "split", ("train", "val", "test"))
        into = "flowers-102"
        labels_md5, sets_md5 = (
            "e0620be6f572b9609742df49c70aed4d",
            "a5357ecc9cb78c4bef273ce3793fc85c",
        )
        archives = [
            Archive(f"{self._BASE}102flowers.tgz", "52808999861908f626f3c1f4e79d11fa", into),
            Archive(f"{self._BASE}imagelabels.mat", labels_md5, into, packed=False),
            Archive(f"{self._BASE}setid.mat", sets_md5, into, packed=False),
        ]
        needed = [f"{into}/{name}" for name in ("jpg", "imagelabels.mat", "setid.mat")]
        base = prepared("Flowers102", root, needed, archives, download) / into
        ids = load_mat(base / "setid.mat")[self._splits_map[split]].astype(int).ravel().tolist()
        labels = load_mat(base / "imagelabels.mat")["labels"].astype(int).ravel() - 1
        self._samples = [(base / f"jpg/image_{i:05d}.jpg", int(labels[i - 1])) for i in ids]
        self.classes = FLOWERS.split(", ")
        self.class_to_idx = _numbered(self.classes)
        self.loader = loader

    def extra_repr(self) -> str:
        return f"split={self._split}"


class EuroSAT(ImageFolder):
    """27,000 satellite pictures in ten classes (P. Helber et al., 2019): `root/eurosat/2750/`."""

    _URL = (
        "https://huggingface.co/datasets/torchgeo/eurosat/resolve/"
        "c877bcd43f099cd0196738f714544e355477f3fd/EuroSAT.zip"
    )
    _MD5 = "c8fa014336c82ac7804f0398fcb19387"

    def __init__(
        self,
        root: Name,
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        archives = [Archive(self._URL, self._MD5, "eurosat")]
        base = prepared("EuroSAT", root, ["eurosat/2750"], archives, download)
        super().__init__(base / "eurosat/2750", transform, target_transform, loader)
        self.root = os.path.expanduser(root)


class GTSRB(Files):
    """51,839 German traffic signs in 43 classes (J. Stallkamp et al., 2012): `root/gtsrb/`."""

    _BASE = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/"

    def __init__(
        self,
        root: Name,
        split: str = "train",
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = verify_str_arg(split, "split", ("train", "test"))
        self.loader = default_loader
        if split == "train":
            url, md5 = f"{self._BASE}GTSRB-Training_fixed.zip", "513f3c79a4c5141765e10e952eaa2478"
            needed = ["gtsrb/GTSRB/Training"]
            base = prepared("GTSRB", root, needed, [Archive(url, md5, "gtsrb")], download)
            self._samples = list(make_dataset(base / needed[0], extensions=(".ppm",)))
            return
        images = f"{self._BASE}GTSRB_Final_Test_Images.zip"
        labels = f"{self._BASE}GTSRB_Final_Test_GT.zip"
        archives = [
            Archive(images, "c7e4e6327067d32654124b0fe9e82185", "gtsrb"),
            Archive(labels, "fe31e9c9270bbcd7b84b7f21a9d9d9e5", "gtsrb"),
        ]
        needed = ["gtsrb/GTSRB/Final_Test/Images", "gtsrb/GT-final_test.csv"]
        base = prepared("GTSRB", root, needed, archives, download)
        with (base / needed[1]).open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";", skipinitialspace=True))
        self._samples = [(base / needed[0] / r["Filename"], int(r["ClassId"])) for r in rows]


class FGVCAircraft(Files):
    """10,000 aircraft (S. Maji et al., 2013); `annotation_level` is variant (100 classes), family
    (70) or manufacturer (41): `root/fgvc-aircraft-2013b/`.
    """

    _URL = "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz"

    def __init__(
        self,
        root: Name,
        split: str = "trainval",
        annotation_level: str = "variant",
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = verify_str_arg(split, "split", ("train", "val", "trainval", "test"))
        files = {"variant": "variants", "family": "families", "manufacturer": "manufacturers"}
        self._annotation_level = verify_str_arg(annotation_level, "annotation_level", files)
        needed = ["fgvc-aircraft-2013b/data"]
        base = prepared("FGVCAircraft", root, needed, [Archive(self._URL, None)], download)
        data = base / needed[0]
        lines = (data / f"{files[annotation_level]}.txt").read_text().splitlines()
        self.classes = [line.strip() for line in lines]
        self.class_to_idx = _numbered(self.classes)
        rows = (data / f"images_{annotation_level}_{split}.txt").read_text().splitlines()
        pairs = (row.strip().split(" ", 1) for row in rows)
        self._samples = [
            (data / f"images/{name}.jpg", self.class_to_idx[label]) for name, label in pairs
        ]
        self.loader = loader


class SUN397(Files):
    """108,754 scenes in 397 classes (J. Xiao et al., 2010): `root/SUN397/`."""

    _URL = "http://vision.princeton.edu/projects/2010/SUN/SUN397.tar.gz"
    _MD5 = "8ca2778205c41d23104230ba66911c7a"

    def __init__(
        self,
        root: Name,
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        archives = [Archive(self._URL, self._MD5)]
        base = prepared("SUN397", root, ["SUN397"], archives, download) / "SUN397"
        lines = (base / "ClassName.txt").read_text().splitlines()
        self.classes = [line[3:].strip() for line in lines]
        self.class_to_idx = _numbered(self.classes)
        self._samples = [
            (path, self.class_to_idx["/".join(path.relative_to(base).parts[1:-1])])
            for path in base.rglob("sun_*.jpg")
        ]
        self.loader = loader


class Country211(ImageFolder):
    """63,300 photographs from 211 countries: `root/country211/`; `split` train, valid or test."""

    _URL = "https://openaipublic.azureedge.net/clip/data/country211.tgz"
    _MD5 = "84988d7644798601126c29e9877aab6a"

    def __init__(
        self,
        root: Name,
        split: str = "train",
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        self._split = verify_str_arg(split, "split", ("train", "valid", "test"))
        archives = [Archive(self._URL, self._MD5)]
        base = prepared("Country211", root, ["country211"], archives, download)
        super().__init__(base / "country211" / split, transform, target_transform, loader)
        self.root = os.path.expanduser(root)


class RenderedSST2(Files):
    """9,613 film reviews as pictures of text, negative or positive: `root/rendered-sst2/`."""

    _URL = "https://openaipublic.azureedge.net/clip/data/rendered-sst2.tgz"
    _MD5 = "2384d08e9dcfa4bd55b324e610496ee5"

    def __init__(
        self,
        root: Name,
        split: str = "train",
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = verify_str_arg(split, "split", ("train", "val", "test"))
        folder = f"rendered-sst2/{'valid' if split == 'val' else split}"
        self.classes = ["negative", "positive"]
        self.class_to_idx = _numbered(self.classes)
        needed = [f"{folder}/{name}" for name in self.classes]
        archives = [Archive(self._URL, self._MD5)]
        base = prepared("RenderedSST2", root, needed, archives, download)
        self._samples = list(make_dataset(base / folder, extensions=("png",)))
        self.loader = loader

    def extra_repr(self) -> str:
        return f"split={self._split}"


class Imagenette(Files):
    """Ten easy classes of ImageNet (J. Howard); `size` is full, 320px or 160px."""

    _BASE = "https://s3.amazonaws.com/fast-ai-imageclas/"
    _ARCHIVES = {  # noqa: RUF012
        "full": ("imagenette2", "fe2fc210e6bb7c5664d602c3cd71e612"),
        "320px": ("imagenette2-320", "3df6f0d01a2c9592104656642f5e78a3"),
        "160px": ("imagenette2-160", "e793b78cc4c9e9a4ccc0c1155377a412"),
    }
    _WNID_TO_CLASS = {  # noqa: RUF012
        "n01440764": ("tench", "Tinca tinca"),
        "n02102040": ("English springer", "English springer spaniel"),
        "n02979186": ("cassette player",),
        "n03000684": ("chain saw", "chainsaw"),
        "n03028079": ("church", "church building"),
        "n03394916": ("French horn", "horn"),
        "n03417042": ("garbage truck", "dustcart"),
        "n03425413": ("gas pump", "gasoline pump", "petrol pump", "island dispenser"),
        "n03445777": ("golf ball",),
        "n03888257": ("parachute", "chute"),
    }

    def __init__(
        self,
        root: Name,
        split: str = "train",
        size: str = "full",
        download: bool = False,
        transform: Function | None = None,
        target_transform: Function | None = None,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = verify_str_arg(split, "split", ["train", "val"])
        self._size = verify_str_arg(size, "size", list(self._ARCHIVES))
        folder, md5 = self._ARCHIVES[size]
        archives = [Archive(f"{self._BASE}{folder}.tgz", md5)]
        base = prepared("Imagenette", root, [f"{folder}/{split}"], archives, download)
        images = base / folder / split
        self.wnids, self.wnid_to_idx = find_classes(images)
        self.classes = [self._WNID_TO_CLASS[wnid] for wnid in self.wnids]
        self.class_to_idx = {name: i for i, names in enumerate(self.classes) for name in names}
        self._samples = list(make_dataset(images, self.wnid_to_idx, extensions=".jpeg"))
        self.loader = loader


class StanfordCars(Files):
    """16,185 cars in 196 classes (J. Krause et al., 2013): `root/stanford_cars/`, brought by hand.

    Its lists are MATLAB structures, which SciPy reads.
    """

    def __init__(
        self,
        root: Name,
        split: str = "train",
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = verify_str_arg(split, "split", ("train", "test"))
        if download:
            raise ValueError(
                "The original URL is broken so the StanfordCars dataset cannot be downloaded "
                "anymore."
            )
        lists = {"train": "devkit/cars_train_annos.mat", "test": "cars_test_annos_withlabels.mat"}
        images = f"stanford_cars/cars_{split}"
        needed = [images, "stanford_cars/devkit", f"stanford_cars/{lists[split]}"]
        base = prepared("StanfordCars", root, needed, [], False)
        loadmat = package("scipy.io", "StanfordCars, whose lists are MATLAB structures,").loadmat
        rows = loadmat(base / needed[2], squeeze_me=True)["annotations"]
        self._samples = [(base / images / row["fname"], int(row["class"]) - 1) for row in rows]
        names = loadmat(base / "stanford_cars/devkit/cars_meta.mat", squeeze_me=True)
        self.classes = names["class_names"].tolist()
        self.class_to_idx = _numbered(self.classes)
        self.loader = loader


class CLEVRClassification(Files):
    """Drawn scenes; the label is the number of objects (J. Johnson et al., 2017): `root/clevr/`."""

    _URL = "https://dl.fbaipublicfiles.com/clevr/CLEVR_v1.0.zip"
    _MD5 = "b11922020e72d0cd9154779b2d3d07d2"

    def __init__(
        self,
        root: Name,
        split: str = "train",
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        self._split = verify_str_arg(split, "split", ("train", "val", "test"))
        super().__init__(root, transform=transform, target_transform=target_transform)
        needed, archives = ["clevr/CLEVR_v1.0"], [Archive(self._URL, self._MD5, "clevr")]
        base = prepared("CLEVRClassification", root, needed, archives, download) / needed[0]
        images = sorted((base / "images" / split).glob("*"))
        counts: dict[str, int] = {}
        if split != "test":
            scenes = json.loads((base / f"scenes/CLEVR_{split}_scenes.json").read_text())["scenes"]
            counts = {scene["image_filename"]: len(scene["objects"]) for scene in scenes}
        self._samples = [(path, counts.get(path.name)) for path in images]
        self.loader = loader

    def extra_repr(self) -> str:
        return f"split={self._split}"


#: The 102 flowers, in the order of their numbers.
FLOWERS = (
    "pink primrose, hard-leaved pocket orchid, canterbury bells, sweet pea, english marigold,"
    " tiger lily, moon orchid, bird of paradise, monkshood, globe thistle, snapdragon, colt's"
    " foot, king protea, spear thistle, yellow iris, globe-flower, purple coneflower, "
    "peruvian lily, balloon flower, giant white arum lily, fire lily, pincushion flower, "
    "fritillary, red ginger, grape hyacinth, corn poppy, prince of wales feathers, stemless "
    "gentian, artichoke, sweet william, carnation, garden phlox, love in the mist, mexican "
    "aster, alpine sea holly, ruby-lipped cattleya, cape flower, great masterwort, siam "
    "tulip, lenten rose, barbeton daisy, daffodil, sword lily, poinsettia, bolero deep blue, "
    "wallflower, marigold, buttercup, oxeye daisy, common dandelion, petunia, wild pansy, "
    "primula, sunflower, pelargonium, bishop of llandaff, gaura, geranium, orange dahlia, "
    "pink-yellow dahlia?, cautleya spicata, japanese anemone, black-eyed susan, silverbush, "
    "californian poppy, osteospermum, spring crocus, bearded iris, windflower, tree poppy, "
    "gazania, azalea, water lily, rose, thorn apple, morning glory, passion flower, lotus, "
    "toad lily, anthurium, frangipani, clematis, hibiscus, columbine, desert-rose, tree "
    "mallow, magnolia, cyclamen, watercress, canna lily, hippeastrum, bee balm, ball moss, "
    "foxglove, bougainvillea, camellia, mallow, mexican petunia, bromelia, blanket flower, "
    "trumpet creeper, blackberry lily"
)
