"""Images with more than a class: boxes, masks, captions, attributes."""

from __future__ import annotations

import csv
import glob
import json
import os
from collections import defaultdict, namedtuple
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, parse

import numpy as np

from chainrule.errors import DataError
from chainrule.tensor.fromdata import from_owned
from chainrule.vision.datasets.collected import unconverted
from chainrule.vision.datasets.folder import Files, default_loader
from chainrule.vision.datasets.utils import (
    Archive,
    download_and_extract_archive,
    download_file_from_google_drive,
    download_url,
    extract_archive,
    home,
    missing,
    prepared,
    verify_str_arg,
)
from chainrule.vision.datasets.vision import Function, Loader, Name, VisionDataset

Joint = Callable[[Any, Any], Any]


class CocoDetection(VisionDataset):
    """Photographs in `root`, with the objects that `annFile` (COCO's JSON) lists for each.

    The target is a list of dictionaries (bbox, category_id, segmentation, …), as in the file.
    `coco` offers what programs ask pycocotools' `COCO` for: `imgs`, `anns`, `cats`, `loadImgs`,
    `getAnnIds`, `loadAnns`, `getCatIds`, `loadCats`.
    """

    def __init__(
        self,
        root: Name,
        annFile: str,
        transform: Function | None = None,
        target_transform: Function | None = None,
        transforms: Joint | None = None,
    ) -> None:
        super().__init__(root, transforms, transform, target_transform)
        self.coco = CocoIndex(annFile)
        self.ids = sorted(self.coco.imgs)

    def _load_image(self, id: int) -> Any:
        return default_loader(os.path.join(self.root, self.coco.imgs[id]["file_name"]))

    def _load_target(self, id: int) -> Any:
        return self.coco.loadAnns(self.coco.getAnnIds(id))

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if not isinstance(index, int):
            raise ValueError(f"Index must be of type integer, got {type(index)} instead.")
        image, target = self._load_image(self.ids[index]), self._load_target(self.ids[index])
        if self.transforms is not None:
            image, target = self.transforms(image, target)
        return image, target

    def __len__(self) -> int:
        return len(self.ids)


class CocoCaptions(CocoDetection):
    """Photographs with a list of captions each."""

    def _load_target(self, id: int) -> Any:
        return [annotation["caption"] for annotation in super()._load_target(id)]


class CocoIndex:
    """COCO's JSON, found by number."""

    def __init__(self, annotation_file: Name) -> None:
        self.dataset = json.loads(Path(annotation_file).expanduser().read_text())
        self.imgs = {image["id"]: image for image in self.dataset.get("images", [])}
        self.anns = {one["id"]: one for one in self.dataset.get("annotations", [])}
        self.cats = {one["id"]: one for one in self.dataset.get("categories", [])}
        self.imgToAnns: defaultdict[Any, list[Any]] = defaultdict(list)
        for one in self.dataset.get("annotations", []):
            self.imgToAnns[one["image_id"]].append(one)

    @staticmethod
    def _chosen(table: dict[Any, Any], ids: Any) -> list[Any]:
        several = isinstance(ids, Sequence) and not isinstance(ids, str)
        return [table[i] for i in (ids if several else [ids])]

    def loadImgs(self, ids: Any = ()) -> list[Any]:
        """The images of these numbers."""
        return self._chosen(self.imgs, ids)

    def loadAnns(self, ids: Any = ()) -> list[Any]:
        """The annotations of these numbers."""
        return self._chosen(self.anns, ids)

    def loadCats(self, ids: Any = ()) -> list[Any]:
        """The categories of these numbers."""
        return self._chosen(self.cats, ids)

    def getAnnIds(self, imgIds: Any = (), catIds: Any = ()) -> list[Any]:
        """The numbers of the annotations of these images and categories."""
        images = imgIds if isinstance(imgIds, Sequence) else [imgIds]
        categories = set(catIds if isinstance(catIds, Sequence) else [catIds])
        if images:
            found = [one for image in images for one in self.imgToAnns[image]]
        else:
            found = list(self.anns.values())
        return [
            one["id"] for one in found if not categories or one.get("category_id") in categories
        ]

    def getImgIds(self) -> list[Any]:
        """The numbers of all images."""
        return list(self.imgs)

    def getCatIds(self, catNms: Sequence[str] = ()) -> list[Any]:
        """The numbers of the categories with these names, or of all."""
        return [i for i, one in self.cats.items() if not catNms or one["name"] in catNms]


class _VOC(VisionDataset):
    """PASCAL VOC (M. Everingham et al., 2010), 2007 to 2012: `root/VOCdevkit/VOC2012/`."""

    _BASE = "https://thor.robots.ox.ac.uk/pascal/VOC/"
    _YEARS = {  # noqa: RUF012  # year: (archive, md5, folder)
        "2012": (
            "voc2012/VOCtrainval_11-May-2012.tar",
            "6cd6e144f989b92b3379bac3b3de84fd",
            "VOCdevkit/VOC2012",
        ),
        "2011": (
            "voc2011/VOCtrainval_25-May-2011.tar",
            "6c3384ef61512963050cb5d687e5bf1e",
            "TrainVal/VOCdevkit/VOC2011",
        ),
        "2010": (
            "voc2010/VOCtrainval_03-May-2010.tar",
            "da459979d0c395079b5c75ee67908abb",
            "VOCdevkit/VOC2010",
        ),
        "2009": (
            "voc2009/VOCtrainval_11-May-2009.tar",
            "a3e00b113cfcfebf17e343f59da3caa1",
            "VOCdevkit/VOC2009",
        ),
        "2008": (
            "voc2008/VOCtrainval_14-Jul-2008.tar",
            "2629fa636546599198acfcfbfcf1904a",
            "VOCdevkit/VOC2008",
        ),
        "2007": (
            "voc2007/VOCtrainval_06-Nov-2007.tar",
            "c52e279531787c972589f7e41ab4ae64",
            "VOCdevkit/VOC2007",
        ),
        "2007-test": (
            "voc2007/VOCtest_06-Nov-2007.tar",
            "b6e924de25625d8de591ea690078ad9f",
            "VOCdevkit/VOC2007",
        ),
    }
    _SPLITS_DIR: str
    _TARGET_DIR: str
    _TARGET_FILE_EXT: str

    def __init__(
        self,
        root: Name,
        year: str = "2012",
        image_set: str = "train",
        download: bool = False,
        transform: Function | None = None,
        target_transform: Function | None = None,
        transforms: Joint | None = None,
    ) -> None:
        super().__init__(root, transforms, transform, target_transform)
        self.year = verify_str_arg(year, "year", [str(y) for y in range(2007, 2013)])
        sets = ["train", "trainval", "val", *(["test"] if year == "2007" else [])]
        self.image_set = verify_str_arg(image_set, "image_set", sets)
        archive, md5, folder = self._YEARS["2007-test" if image_set == "test" else year]
        needed = [f"{folder}/ImageSets/{self._SPLITS_DIR}/{image_set}.txt"]
        archives = [Archive(self._BASE + archive, md5)]
        base = prepared(type(self).__name__, root, needed, archives, download, "voc")
        names = (base / needed[0]).read_text().split("\n")
        stems = [name.strip() for name in names if name.strip()]
        place = base / folder
        self.images = [str(place / "JPEGImages" / f"{stem}.jpg") for stem in stems]
        ending = self._TARGET_FILE_EXT
        self.targets = [str(place / self._TARGET_DIR / f"{stem}{ending}") for stem in stems]

    def _target(self, index: int) -> Any:
        raise NotImplementedError

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image, target = default_loader(self.images[index]), self._target(index)
        if self.transforms is not None:
            image, target = self.transforms(image, target)
        return image, target

    def __len__(self) -> int:
        return len(self.images)


class VOCSegmentation(_VOC):
    """PASCAL VOC's photographs with a picture of the class of each pixel (255: unknown)."""

    _SPLITS_DIR, _TARGET_DIR, _TARGET_FILE_EXT = "Segmentation", "SegmentationClass", ".png"

    @property
    def masks(self) -> list[str]:
        """The files of the pictures of classes."""
        return self.targets

    def _target(self, index: int) -> Any:
        return unconverted(self.masks[index])


class VOCDetection(_VOC):
    """PASCAL VOC's photographs with the XML of the objects in each, as dictionaries."""

    _SPLITS_DIR, _TARGET_DIR, _TARGET_FILE_EXT = "Main", "Annotations", ".xml"

    @property
    def annotations(self) -> list[str]:
        """The XML files."""
        return self.targets

    def _target(self, index: int) -> Any:
        return self.parse_voc_xml(parse(self.annotations[index]).getroot())

    @staticmethod
    def parse_voc_xml(node: Element) -> dict[str, Any]:
        """An element as {tag: text or {…}}; an element that occurs again becomes a list, and
        `object` always is one.
        """
        inside: defaultdict[str, list[Any]] = defaultdict(list)
        for child in node:
            for tag, value in VOCDetection.parse_voc_xml(child).items():
                inside[tag].append(value)
        if not len(node):
            return {node.tag: node.text.strip()} if node.text else {}
        values = {tag: found[0] if len(found) == 1 else found for tag, found in inside.items()}
        if node.tag == "annotation":
            values["object"] = inside["object"]
        return {node.tag: values}


class OxfordIIITPet(VisionDataset):
    """7,349 cats and dogs of 37 breeds (O. Parkhi et al., 2012): `root/oxford-iiit-pet/`.

    `target_types` is category, binary-category (cat or dog), segmentation or a list of them.
    """

    _BASE = "https://www.robots.ox.ac.uk/~vgg/data/pets/data/"
    _VALID = ("category", "binary-category", "segmentation")

    def __init__(
        self,
        root: Name,
        split: str = "trainval",
        target_types: Sequence[str] | str = "category",
        transforms: Joint | None = None,
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
    ) -> None:
        self._split = verify_str_arg(split, "split", ("trainval", "test"))
        types = [target_types] if isinstance(target_types, str) else target_types
        self._target_types = [verify_str_arg(t, "target_types", self._VALID) for t in types]
        super().__init__(root, transforms, transform, target_transform)
        folder = "oxford-iiit-pet"
        archives = [
            Archive(f"{self._BASE}images.tar.gz", "5c4f3ee8e5d25df40f4fd59a7f44e54c", folder),
            Archive(f"{self._BASE}annotations.tar.gz", "95a8c909bbe2e81eed6a22bccdf3f68f", folder),
        ]
        needed = [f"{folder}/images", f"{folder}/annotations"]
        base = prepared("OxfordIIITPet", root, needed, archives, download) / folder
        lines = (base / "annotations" / f"{split}.txt").read_text().splitlines()
        rows = [line.split() for line in lines if line.strip()]
        self._labels = [int(row[1]) - 1 for row in rows]
        self._bin_labels = [int(row[2]) - 1 for row in rows]
        self._images = [base / "images" / f"{row[0]}.jpg" for row in rows]
        self._segs = [base / "annotations" / "trimaps" / f"{row[0]}.png" for row in rows]
        breeds = {int(row[1]): row[0].rsplit("_", 1)[0] for row in rows}
        self.classes = [
            " ".join(part.title() for part in breeds[i].split("_")) for i in sorted(breeds)
        ]
        self.bin_classes = ["Cat", "Dog"]
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        self.bin_class_to_idx = {name: i for i, name in enumerate(self.bin_classes)}

    def __getitem__(self, idx: int) -> tuple[Any, Any]:
        image, parts = default_loader(self._images[idx]), []
        for kind in self._target_types:
            if kind == "category":
                parts.append(self._labels[idx])
            elif kind == "binary-category":
                parts.append(self._bin_labels[idx])
            else:
                parts.append(unconverted(self._segs[idx]))
        target: Any = (parts[0] if len(parts) == 1 else tuple(parts)) if parts else None
        if self.transforms is not None:
            image, target = self.transforms(image, target)
        return image, target

    def __len__(self) -> int:
        return len(self._images)


CSV = namedtuple("CSV", ["header", "index", "data"])


class CelebA(VisionDataset):
    """202,599 faces with 40 attributes (Z. Liu et al., 2015): `root/celeba/`.

    `target_type` is attr (0 or 1 each), identity, bbox, landmarks, or a list of them; `split` is
    train, valid, test or all.
    """

    base_folder = "celeba"
    file_list = [  # noqa: RUF012  # as in torchvision: (Google Drive's number, MD5, name)
        (
            "0B7EVK8r0v71pZjFTYXZWM3FlRnM",
            "00d2c5bc6d35e252742224ab0c1e8fcb",
            "img_align_celeba.zip",
        ),
        (
            "0B7EVK8r0v71pblRyaVFSWGxPY0U",
            "75e246fa4810816ffd6ee81facbd244c",
            "list_attr_celeba.txt",
        ),
        (
            "1_ee_0u7vcNLOfNLegJRHmolfH5ICW-XS",
            "32bd1bd63d3c78cd57e08160ec5ed1e2",
            "identity_CelebA.txt",
        ),
        (
            "0B7EVK8r0v71pbThiMVRxWXZ4dU0",
            "00566efa6fedff7a56946cd1c10f1c16",
            "list_bbox_celeba.txt",
        ),
        (
            "0B7EVK8r0v71pd0FJY3Blby1HUTQ",
            "cc24ecafdb5b50baae59b03474781f8c",
            "list_landmarks_align_celeba.txt",
        ),
        (
            "0B7EVK8r0v71pY0NSMzRuSXJEVkk",
            "d32c9cbf5e040fd4025c592c306e6668",
            "list_eval_partition.txt",
        ),
    ]

    def __init__(
        self,
        root: Name,
        split: str = "train",
        target_type: list[str] | str = "attr",
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.target_type = target_type if isinstance(target_type, list) else [target_type]
        if not self.target_type and self.target_transform is not None:
            raise RuntimeError("target_transform is specified but target_type is empty")
        numbers: dict[str, int | None] = {"train": 0, "valid": 1, "test": 2, "all": None}
        self.split = split
        part = numbers[verify_str_arg(str(split).lower(), "split", numbers)]
        files = [name for _, _, name in self.file_list if name.endswith(".txt")]
        needed = [f"{self.base_folder}/{name}" for name in ("img_align_celeba", *files)]
        found = home(root, needed)
        if found is None and download:
            self.download()
            found = home(root, needed)
        if found is None:
            raise missing("CelebA", root, needed)
        self._base = found / self.base_folder
        splits = self._load_csv("list_eval_partition.txt")
        mask = slice(None) if part is None else splits.data[:, 0] == part
        self.filename = np.array(splits.index)[mask].tolist()
        attributes = self._load_csv("list_attr_celeba.txt", header=1)
        self.attr_names = attributes.header
        self.attr = from_owned((attributes.data[mask] + 1) // 2)
        self.identity = from_owned(self._load_csv("identity_CelebA.txt").data[mask])
        self.bbox = from_owned(self._load_csv("list_bbox_celeba.txt", header=1).data[mask])
        self.landmarks_align = from_owned(
            self._load_csv("list_landmarks_align_celeba.txt", header=1).data[mask]
        )

    def _load_csv(self, filename: str, header: int | None = None) -> CSV:
        with (self._base / filename).open() as file:
            rows = list(csv.reader(file, delimiter=" ", skipinitialspace=True))
        names = [] if header is None else rows[header]
        rows = rows if header is None else rows[header + 1 :]
        numbers = np.array([[int(v) for v in row[1:] if v] for row in rows], np.int64)
        return CSV(names, [row[0] for row in rows], numbers)

    def download(self) -> None:
        """Fetch the pictures and lists (1.4 GB) into `root`."""
        folder = os.path.join(self.root, self.base_folder)
        for number, md5, name in self.file_list:
            download_file_from_google_drive(number, folder, name, md5)
        extract_archive(os.path.join(folder, "img_align_celeba.zip"))

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        parts = []
        for kind in self.target_type:
            if kind == "attr":
                parts.append(self.attr[index])
            elif kind == "identity":
                parts.append(self.identity[index, 0])
            elif kind == "bbox":
                parts.append(self.bbox[index])
            elif kind == "landmarks":
                parts.append(self.landmarks_align[index])
            else:
                raise ValueError(f'Target type "{kind}" is not recognized.')
        image = unconverted(self._base / "img_align_celeba" / self.filename[index])
        if self.transform is not None:
            image = self.transform(image)
        if not parts:
            return image, None
        target = tuple(parts) if len(parts) > 1 else parts[0]
        return image, target if self.target_transform is None else self.target_transform(target)

    def __len__(self) -> int:
        return len(self.filename)

    def extra_repr(self) -> str:
        return f"Target type: {self.target_type}\nSplit: {self.split}"


class Cityscapes(VisionDataset):
    """Streets of 50 cities (M. Cordts et al., 2016), brought by hand: `root/leftImg8bit/train/…`.

    `mode` is fine or coarse; `target_type` instance, semantic, polygon, color or a list of them.
    """

    def __init__(
        self,
        root: Name,
        split: str = "train",
        mode: str = "fine",
        target_type: list[str] | str = "instance",
        transform: Function | None = None,
        target_transform: Function | None = None,
        transforms: Joint | None = None,
    ) -> None:
        super().__init__(root, transforms, transform, target_transform)
        verify_str_arg(mode, "mode", ("fine", "coarse"))
        splits = ("train", "test", "val") if mode == "fine" else ("train", "train_extra", "val")
        self.split = verify_str_arg(split, "split", splits)
        self.mode = "gtFine" if mode == "fine" else "gtCoarse"
        types = target_type if isinstance(target_type, list) else [target_type]
        endings = {
            "instance": "instanceIds.png",
            "semantic": "labelIds.png",
            "color": "color.png",
            "polygon": "polygons.json",
        }
        self.target_type = [verify_str_arg(t, "target_type", endings) for t in types]
        needed = [f"leftImg8bit/{split}", f"{self.mode}/{split}"]
        base = home(root, needed, "cityscapes")
        if base is None:
            raise DataError(
                "Dataset not found or incomplete. Please make sure all required folders for the "
                f'specified "split" and "mode" are inside the "root" directory: {needed} in {root}'
            )
        self.images_dir, self.targets_dir = (str(base / name) for name in needed)
        self.images: list[str] = []
        self.targets: list[list[str]] = []
        for image in sorted((base / needed[0]).glob("*/*_leftImg8bit.png")):
            stem = image.name.removesuffix("_leftImg8bit.png")
            folder = base / needed[1] / image.parent.name
            self.images.append(str(image))
            self.targets.append(
                [str(folder / f"{stem}_{self.mode}_{endings[t]}") for t in self.target_type]
            )

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image = default_loader(self.images[index])
        parts = [
            json.loads(Path(path).read_text()) if path.endswith(".json") else unconverted(path)
            for path in self.targets[index]
        ]
        target: Any = tuple(parts) if len(parts) > 1 else parts[0]
        if self.transforms is not None:
            image, target = self.transforms(image, target)
        return image, target

    def __len__(self) -> int:
        return len(self.images)

    def extra_repr(self) -> str:
        return f"Split: {self.split}\nMode: {self.mode}\nType: {self.target_type}"


class SBU(Files):
    """A million photographs with captions (V. Ordonez et al., 2011): `root/dataset/`.

    Photographs that are no longer on the network are left out.
    """

    url = "https://www.cs.rice.edu/~vo9/sbucaptions/SBUCaptionedPhotoDataset.tar.gz"
    md5_checksum = "9aec147b3488753cf758b4d493422285"

    def __init__(
        self,
        root: Name,
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = True,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        lists = [f"dataset/SBU_captioned_photo_dataset_{name}.txt" for name in ("urls", "captions")]
        base = home(root, lists, "sbu")
        if base is None and download:
            download_and_extract_archive(self.url, root, md5=self.md5_checksum)
            base = home(root, lists)
            if base is not None:
                _fetch_all((base / lists[0]).read_text().split(), base / "dataset")
        if base is None:
            raise missing("SBU", root, lists)
        urls, captions = ((base / name).read_text().splitlines() for name in lists)
        pairs = [
            (base / "dataset" / os.path.basename(url.strip()), caption.rstrip())
            for url, caption in zip(urls, captions, strict=False)
        ]
        self._samples = [(path, caption) for path, caption in pairs if path.exists()]
        self.photos = [path.name for path, _ in self._samples]
        self.captions = [caption for _, caption in self._samples]
        self.loader = loader


def _fetch_all(urls: list[str], folder: Path) -> None:
    for url in urls:
        try:
            download_url(url, folder)
        except DataError:
            continue  # the photograph is no longer there: it is left out of the set


class Flickr8k(Files):
    """Photographs with five captions each, from the HTML page `ann_file`."""

    def __init__(
        self,
        root: Name,
        ann_file: str,
        transform: Function | None = None,
        target_transform: Function | None = None,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.ann_file = os.path.expanduser(ann_file)
        self.annotations = self._captions()
        self.ids = sorted(self.annotations)
        self._samples = [(os.path.join(self.root, i), self.annotations[i]) for i in self.ids]
        self.loader = loader

    def _captions(self) -> dict[str, list[str]]:
        reader = _FlickrPage(self.root)
        reader.feed(Path(self.ann_file).read_text())
        return reader.annotations


class Flickr30k(Flickr8k):
    """Photographs with five captions each, from the table `ann_file`."""

    def _captions(self) -> dict[str, list[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for line in Path(self.ann_file).read_text().splitlines():
            name, caption = line.strip().split("\t")
            found[name[:-2]].append(caption)
        return found


class _FlickrPage(HTMLParser):
    """A table with a link to each photograph and a list of its captions."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self.root = root
        self.annotations: dict[str, list[str]] = {}
        self.inside = False
        self.tag: str | None = None
        self.image: str | None = None

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tag = tag
        self.inside = self.inside or tag == "table"

    def handle_endtag(self, tag: str) -> None:
        self.tag = None
        self.inside = self.inside and tag != "table"

    def handle_data(self, data: str) -> None:
        if not self.inside:
            return
        if data == "Image Not Found":
            self.image = None
        elif self.tag == "a":
            number = data.split("/")[-2]
            self.image = glob.glob(os.path.join(self.root, f"{number}_*.jpg"))[0]
            self.annotations[self.image] = []
        elif self.tag == "li" and self.image:
            self.annotations[self.image].append(data.strip())


class WIDERFace(VisionDataset):
    """32,203 photographs with 393,703 faces (S. Yang et al., 2016): `root/widerface/`.

    The target is a dictionary of tensors: bbox (faces, 4) = x, y, width, height, and blur,
    expression, illumination, occlusion, pose, invalid; None for the split test.
    """

    BASE_FOLDER = "widerface"
    FILE_LIST = [  # noqa: RUF012  # (Google Drive's number, MD5, name)
        (
            "15hGDLhsx8bLgLcIRD5DhYt5iBxnjNF1M",
            "3fedf70df600953d25982bcd13d91ba2",
            "WIDER_train.zip",
        ),
        ("1GUCogbp16PMGa39thoMMeWxp7Rp5oM8Q", "dfa7d7e790efa35df3788964cf0bbaea", "WIDER_val.zip"),
        ("1HIfDbVEWKmsYKJZm4lchTBDLW5N7dY5T", "e5d8f4248ed24c334bbd12f49c29dd40", "WIDER_test.zip"),
    ]
    ANNOTATIONS_FILE = (
        "http://shuoyang1213.me/WIDERFACE/support/bbx_annotation/wider_face_split.zip",
        "0e3767bcf0e326556d407bf5bff5d27c",
        "wider_face_split.zip",
    )
    _COLUMNS = ("blur", "expression", "illumination", "occlusion", "pose", "invalid")

    def __init__(
        self,
        root: Name,
        split: str = "train",
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
    ) -> None:
        place = os.path.join(os.path.expanduser(root), self.BASE_FOLDER)
        super().__init__(place, transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split, "split", ("train", "val", "test"))
        needed = [f"{self.BASE_FOLDER}/{name}" for name in (f"WIDER_{split}", "wider_face_split")]
        base = home(root, needed)
        if base is None and download:
            for number, md5, name in self.FILE_LIST:
                download_file_from_google_drive(number, place, name, md5)
                extract_archive(os.path.join(place, name))
            download_and_extract_archive(
                self.ANNOTATIONS_FILE[0], place, md5=self.ANNOTATIONS_FILE[1]
            )
            base = home(root, needed)
        if base is None:
            raise missing("WIDERFace", root, needed)
        images, lists = base / needed[0] / "images", base / needed[1]
        if split == "test":
            names = (lists / "wider_face_test_filelist.txt").read_text().splitlines()
            self.img_info: list[dict[str, Any]] = [{"img_path": str(images / n)} for n in names]
        else:
            self.img_info = list(self._faces(lists / f"wider_face_{split}_bbx_gt.txt", images))

    def _faces(self, path: Path, images: Path) -> Any:
        lines = iter(path.read_text().splitlines())
        for name in lines:
            count = int(next(lines))
            rows = [next(lines).split()[:10] for _ in range(max(count, 1))]  # one of zeros for none
            table = np.array(rows, np.int64)
            faces = {"bbox": from_owned(table[:, :4].copy())}
            for i, column in enumerate(self._COLUMNS, 4):
                faces[column] = from_owned(table[:, i].copy())
            yield {"img_path": str(images / name.rstrip()), "annotations": faces}

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        info = self.img_info[index]
        return self.transformed(unconverted(info["img_path"]), info.get("annotations"))

    def __len__(self) -> int:
        return len(self.img_info)

    def extra_repr(self) -> str:
        return f"Split: {self.split}"
