"""Data sets in folders and files of the user's: found, read, downloaded whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest
from local_mirror import Mirror, sends, serving
from torchvision_cases import picture

from chainrule.datasets.fetch import DATA_VARIABLE, MIRROR_VARIABLE
from chainrule.errors import DataError
from chainrule.utils.data import DataLoader
from chainrule.vision import datasets, tv_tensors
from chainrule.vision import transforms as T
from chainrule.vision.datasets import utils
from chainrule.vision.datasets.matlab import load_mat
from chainrule.vision.io.png import encoded
from chainrule.vision.transforms import v2

PNG = encoded(np.moveaxis(picture(), 0, -1))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_: tmp_path / "cache")
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with serving() as served:
        yield served


def grow(root: Path, files: dict[str, Any]) -> Path:
    """Files under `root`: name → bytes, text, or what becomes JSON."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
    return root


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def tar_gz(files: dict[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:gz") as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return memory.getvalue()


# Folders


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    grow(tmp_path, {"b/2.PNG": PNG, "a/x/1.png": PNG, "a/0.png": PNG, "a/text.txt": "no image"})
    found = datasets.ImageFolder(tmp_path, transform=T.ToTensor(), target_transform=lambda y: -y)
    assert found.classes == ["a", "b"] and found.class_to_idx == {"a": 0, "b": 1}
    assert found.targets == [0, 0, 1] and found.imgs is found.samples
    assert [Path(path).name for path, _ in found.samples] == ["0.png", "1.png", "2.PNG"]
    image, target = found[2]
    assert image.shape == (3, *picture().shape[1:]) and target == -1
    assert "Dataset ImageFolder\n    Number of datapoints: 3" in repr(found)
    assert "StandardTransform\nTransform: ToTensor()" in repr(found)
    images, _ = next(iter(DataLoader(found, 3)))
    assert images.shape[0] == 3


def test_folders_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="Couldn't find any class folder"):
        datasets.ImageFolder(tmp_path)
    grow(tmp_path, {"a/0.png": PNG, "empty/readme": "nothing"})
    with pytest.raises(FileNotFoundError, match="no valid file for the classes empty"):
        datasets.ImageFolder(tmp_path)
    assert len(datasets.ImageFolder(tmp_path, allow_empty=True)) == 1
    texts = datasets.DatasetFolder(
        tmp_path, lambda p: p, is_valid_file=lambda p: p.endswith("readme"), allow_empty=True
    )
    assert [target for _, target in texts] == [1]
    with pytest.raises(ValueError, match="cannot be None or not None"):
        datasets.DatasetFolder(tmp_path, str)


def test_noise_is_a_function_of_its_index() -> None:
    fake = datasets.FakeData(size=5, image_size=(3, 8, 6), num_classes=4, random_offset=9)
    image, label = fake[3]
    again, same = fake[3]
    assert image.size == (6, 8) and 0 <= label < 4 and type(label) is int
    assert label == same and np.array_equal(np.asarray(image), np.asarray(again))
    assert not np.array_equal(np.asarray(fake[2][0]), np.asarray(image))
    with pytest.raises(IndexError):
        fake[5]


# Downloads


def test_a_download_is_whole_or_not_there(tmp_path: Path, mirror: Mirror) -> None:
    good = b"x" * 70000
    url = mirror.url("/file.bin", sends(good))
    utils.download_url(url, tmp_path, md5=md5(good))
    assert (tmp_path / "file.bin").read_bytes() == good
    utils.download_url(url, tmp_path, md5=md5(good))
    assert mirror.requests == ["/file.bin"]  # a good copy is not fetched again
    for name, answer in {
        "/wrong.bin": sends(good + b"y"),
        "/short.bin": sends(good, length=len(good) + 5),
    }.items():
        with pytest.raises(DataError, match="could not be downloaded"):
            utils.download_url(mirror.url(name, answer), tmp_path, md5=md5(good))
    with pytest.raises(RuntimeError, match="HTTP 404"):
        utils.download_url(mirror.address + "/missing.bin", tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file.bin"]


def test_archives(tmp_path: Path, mirror: Mirror) -> None:
    packed = tar_gz({"set/a.txt": b"A", "set/b/c.txt": b"C"})
    url = mirror.url("/set.tar.gz", sends(packed))
    utils.download_and_extract_archive(url, tmp_path, tmp_path / "out", md5=md5(packed))
    assert (tmp_path / "out/set/b/c.txt").read_bytes() == b"C"
    (tmp_path / "one.txt.gz").write_bytes(gzip.compress(b"one"))
    assert utils.extract_archive(str(tmp_path / "one.txt.gz")) == str(tmp_path / "one.txt")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as file:
        file.writestr("set/a.txt", "new")
    utils.extract_archive(tmp_path / "z.zip", tmp_path / "out", remove_finished=True)
    assert (tmp_path / "out/set/a.txt").read_text() == "new" and not (tmp_path / "z.zip").exists()
    assert (tmp_path / "out/set/b/c.txt").exists()  # folders are filled up, not replaced
    with pytest.raises(RuntimeError, match="Unknown compression or archive type"):
        utils.extract_archive(tmp_path / "one.txt")


def test_a_damaged_or_hostile_archive_leaves_nothing(tmp_path: Path) -> None:
    packed = tar_gz({"a.txt": b"A" * 9999})
    (tmp_path / "cut.tar.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "up.tar.gz").write_bytes(tar_gz({"../outside.txt": b"!"}))
    for name in ("cut.tar.gz", "up.tar.gz"):
        with pytest.raises(DataError, match="cannot be unpacked"):
            utils.extract_archive(tmp_path / name, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == [] and not (tmp_path / "outside.txt").exists()


def test_what_to_do_offline(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"Dataset not found[\s\S]*CHAINRULE_DATA"):
        datasets.Food101(tmp_path)
    with pytest.raises(RuntimeError, match=r"Dataset not found\. You can use download=True"):
        datasets.MNIST(tmp_path)
    with pytest.raises(NotImplementedError, match="videos are not decoded"):
        _ = datasets.Kinetics


# Sets


def cifar100() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    batch = {
        "data": rng.integers(256, size=(6, 3072), dtype=np.uint8),
        "fine_labels": [5, 1, 2, 3, 4, 99],
    }
    names = {"fine_label_names": [f"class {i}" for i in range(100)]}
    return {
        "cifar-100-python/train": pickle.dumps(batch),
        "cifar-100-python/test": pickle.dumps({**batch, "fine_labels": [0] * 6}),
        "cifar-100-python/meta": pickle.dumps(names),
    }


def test_cifar100(tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    files = cifar100()
    packed = tar_gz(files)
    cls = datasets.CIFAR100
    sums = {name.rpartition("/")[2]: md5(data) for name, data in files.items()}
    monkeypatch.setattr(cls, "url", mirror.url("/cifar-100-python.tar.gz", sends(packed)))
    monkeypatch.setattr(cls, "tgz_md5", md5(packed))
    monkeypatch.setattr(cls, "train_list", [["train", sums["train"]]])
    monkeypatch.setattr(cls, "test_list", [["test", sums["test"]]])
    monkeypatch.setattr(cls, "meta", {**cls.meta, "md5": sums["meta"]})
    with pytest.raises(RuntimeError, match="Dataset not found"):
        cls(tmp_path / "root")
    train = cls(tmp_path / "root", download=True)
    assert train.data.shape == (6, 32, 32, 3) and train.targets[-1] == 99
    assert train.classes[7] == "class 7" and train.class_to_idx["class 7"] == 7
    batch = pickle.loads(files["cifar-100-python/train"])
    expected = batch["data"][0].reshape(3, 32, 32).transpose(1, 2, 0)
    np.testing.assert_array_equal(np.asarray(train[0][0]), expected)
    (tmp_path / "data/cifar100").mkdir(parents=True)  # the archive alone, where the user put it
    (tmp_path / "data/cifar100/cifar-100-python.tar.gz").write_bytes(packed)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    assert cls(tmp_path / "elsewhere", train=False).targets == [0] * 6
    assert len(mirror.requests) == 1


def test_emnist_and_qmnist_files(tmp_path: Path) -> None:
    images = np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28)
    head = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in images.shape)
    labels = b"\0\0\x08\x01" + (2).to_bytes(4, "big") + bytes([3, 1])
    stem = "EMNIST/raw/emnist-letters-train"
    grow(
        tmp_path,
        {
            f"{stem}-images-idx3-ubyte": head + images.tobytes(),
            f"{stem}-labels-idx1-ubyte.gz": gzip.compress(labels),
        },
    )
    letters = datasets.EMNIST(tmp_path, "letters")
    assert letters.classes[1] == "a" and letters.targets.tolist() == [3, 1]
    np.testing.assert_array_equal(np.asarray(letters[1][0]), images[1])
    wide = np.arange(16, dtype=">i4").reshape(2, 8)
    head_wide = b"\0\0\x0c\x02" + (2).to_bytes(4, "big") + (8).to_bytes(4, "big")
    grow(
        tmp_path,
        {
            "QMNIST/raw/qmnist-test-images-idx3-ubyte": head + images.tobytes(),
            "QMNIST/raw/qmnist-test-labels-idx2-int": head_wide + wide.tobytes(),
        },
    )
    test = datasets.QMNIST(tmp_path, train=False)
    assert test[1][1] == 8 and datasets.QMNIST(tmp_path, "test", compat=False)[0][1].shape == (8,)
    digits = datasets.QMNIST(tmp_path, "test", transform=T.ToTensor())
    _, batch_labels = next(iter(DataLoader(digits, 2)))
    assert batch_labels.tolist() == [0, 8]
    with pytest.raises(ValueError, match="Unknown value 'words' for argument split"):
        datasets.EMNIST(tmp_path, "words")


def mat_file(arrays: dict[str, np.ndarray[Any, Any]]) -> bytes:
    """A MATLAB file of version 5, by hand."""

    def element(kind: int, body: bytes) -> bytes:
        return struct.pack("<II", kind, len(body)) + body + b"\0" * (-len(body) % 8)

    out = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\x01IM"
    for name, array in arrays.items():
        kind, number = {"u1": (9, 2), "f8": (6, 9)}[array.dtype.str[1:]]
        body = element(6, struct.pack("<II", kind, 0))
        body += element(5, np.array(array.shape, "<i4").tobytes())
        body += element(1, name.encode()) + element(number, array.tobytes(order="F"))
        packed = zlib.compress(element(14, body))
        out += struct.pack("<II", 15, len(packed)) + packed
    return out


def test_svhn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(256, size=(32, 32, 3, 4), dtype=np.uint8)
    data = mat_file({"X": images, "y": np.array([[10.0], [1], [2], [9]])})
    (tmp_path / "test_32x32.mat").write_bytes(data)
    assert load_mat(tmp_path / "test_32x32.mat")["y"].tolist() == [[10], [1], [2], [9]]
    rows = {**datasets.SVHN.split_list, "test": ["", "test_32x32.mat", md5(data)]}
    monkeypatch.setattr(datasets.SVHN, "split_list", rows)
    found = datasets.SVHN(tmp_path, "test", transform=T.ToTensor())
    assert found.labels.tolist() == [0, 1, 2, 9] and found.data.shape == (4, 3, 32, 32)
    batch, labels = next(iter(DataLoader(found, 4)))
    np.testing.assert_array_equal(batch.numpy()[1], found[1][0].numpy())
    np.testing.assert_array_equal(np.asarray(datasets.SVHN(tmp_path, "test")[2][0]), images[..., 2])
    assert labels.tolist() == [0, 1, 2, 9] and "Split: test" in repr(found)


def test_stl10(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(256, size=(3, 3, 96, 96), dtype=np.uint8)
    grow(
        tmp_path,
        {
            "stl10_binary/train_X.bin": pixels.tobytes(),
            "stl10_binary/train_y.bin": bytes([1, 2, 10]),
            "stl10_binary/test_X.bin": pixels[:1].tobytes(),
            "stl10_binary/test_y.bin": bytes([4]),
            "stl10_binary/fold_indices.txt": "2 0\n1\n",
            "stl10_binary/class_names.txt": "airplane\nbird\n",
        },
    )
    train = datasets.STL10(tmp_path)
    assert train.labels.tolist() == [0, 1, 9] and train.classes == ["airplane", "bird"]
    np.testing.assert_array_equal(np.asarray(train[1][0]), pixels[1].transpose(2, 1, 0))
    assert datasets.STL10(tmp_path, folds=0).labels.tolist() == [9, 0]
    assert datasets.STL10(tmp_path, "test")[0][1] == 3


def test_objects_captions_and_pixels(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    boxes = [{"id": 5, "image_id": 2, "bbox": [0, 0, 3, 4], "category_id": 1, "caption": "a cat"}]
    listed = {"images": [{"id": 2, "file_name": "2.png"}], "annotations": boxes}
    voc = "VOCdevkit/VOC2012"
    xml = "<annotation><size><width>13</width></size><object><name>cat</name></object></annotation>"
    grow(
        tmp_path,
        {
            "2.png": PNG,
            "list.json": {**listed, "categories": [{"id": 1, "name": "cat"}]},
            f"{voc}/ImageSets/Main/train.txt": "x\n",
            f"{voc}/ImageSets/Segmentation/train.txt": "x\n",
            f"{voc}/JPEGImages/x.jpg": PNG,
            f"{voc}/Annotations/x.xml": xml,
            f"{voc}/SegmentationClass/x.png": PNG,
        },
    )
    _, target = datasets.CocoDetection(tmp_path, str(tmp_path / "list.json"))[0]
    assert target == boxes
    wrapped = datasets.wrap_dataset_for_transforms_v2(
        datasets.CocoDetection(tmp_path, str(tmp_path / "list.json"), transforms=v2.ToImage())
    )
    picture_of, kinds = wrapped[0]
    assert type(picture_of) is tv_tensors.Image and kinds["labels"].tolist() == [1]
    assert kinds["boxes"].tolist() == [[0, 0, 3, 4]] and kinds["boxes"].format.value == "XYXY"
    assert datasets.CocoCaptions(tmp_path, str(tmp_path / "list.json"))[0][1] == ["a cat"]
    image, found = datasets.VOCDetection(tmp_path)[0]
    assert image.mode == "RGB"
    assert found == {"annotation": {"size": {"width": "13"}, "object": [{"name": "cat"}]}}
    _, mask = datasets.VOCSegmentation(tmp_path)[0]
    assert mask.size == image.size


def test_faces(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    names = ["1.jpg", "2.jpg"]
    grow(
        tmp_path / "celeba",
        {
            "img_align_celeba/1.jpg": PNG,
            "img_align_celeba/2.jpg": PNG,
            "list_eval_partition.txt": "1.jpg 0\n2.jpg 2\n",
            "identity_CelebA.txt": "1.jpg 11\n2.jpg 12\n",
            "list_attr_celeba.txt": "2\nBald Young\n1.jpg -1  1\n2.jpg  1 -1\n",
            "list_bbox_celeba.txt": "2\nid x y w h\n1.jpg 1 2 3 4\n2.jpg 5 6 7 8\n",
            "list_landmarks_align_celeba.txt": "2\na b\n1.jpg 1 2\n2.jpg 3 4\n",
        },
    )
    found = datasets.CelebA(tmp_path, "test", ["attr", "identity"])
    assert found.filename == names[1:] and found.attr_names == ["Bald", "Young"]
    _, (attributes, identity) = found[0]
    assert attributes.tolist() == [1, 0] and identity.item() == 12
    assert len(datasets.CelebA(tmp_path, "all")) == 2


def test_lists_of_files(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    ids = np.array([[2.0, 1.0]])
    grow(
        tmp_path,
        {
            "food-101/images/soup/1.jpg": PNG,
            "food-101/meta/train.json": {"soup": ["soup/1"], "bread": []},
            "dtd/dtd/images/dots/1.jpg": PNG,
            "dtd/dtd/labels/val3.txt": "dots/1.jpg\n",
            "flowers-102/jpg/image_00001.jpg": PNG,
            "flowers-102/jpg/image_00002.jpg": PNG,
            "flowers-102/setid.mat": mat_file({"trnid": ids}),
            "flowers-102/imagelabels.mat": mat_file({"labels": np.array([[3.0, 102.0]])}),
            "oxford-iiit-pet/images/shiba_inu_1.jpg": PNG,
            "oxford-iiit-pet/annotations/test.txt": "shiba_inu_1 1 2 1\n",
            "caltech101/101_ObjectCategories/ant/image_0001.jpg": PNG,
            "omniglot-py/images_background/Greek/character01/0_1.png": PNG,
            "imagenette2/val/n03000684/a.JPEG": PNG,
        },
    )
    food = datasets.Food101(tmp_path)
    assert food.classes == ["bread", "soup"] and food[0][1] == 1
    assert datasets.DTD(tmp_path, "val", 3)[0][1] == 0
    flowers = datasets.Flowers102(tmp_path)
    assert [flowers[i][1] for i in (0, 1)] == [101, 2] and len(flowers.classes) == 102
    pets = datasets.OxfordIIITPet(tmp_path, "test", ["category", "binary-category"])
    assert pets.classes == ["Shiba Inu"] and pets[0][1] == (0, 1)
    assert datasets.Caltech101(tmp_path).categories == ["ant"]
    assert datasets.Omniglot(tmp_path)[0][0].mode == "L"
    nette = datasets.Imagenette(tmp_path, "val")
    assert nette.classes == [("chain saw", "chainsaw")] and nette.class_to_idx["chainsaw"] == 0


def test_every_name_is_a_data_set() -> None:
    for name in set(datasets.__all__) - {"wrap_dataset_for_transforms_v2"}:
        assert issubclass(getattr(datasets, name), datasets.VisionDataset), name
