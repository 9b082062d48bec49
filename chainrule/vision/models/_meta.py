"""Names of classes and keypoints: what the numbers that the pretrained models give mean.

They lie in `categories.txt`, one a line, under the name of their list: ImageNet-1k, COCO, Pascal
VOC, Kinetics-400.
"""

from importlib import resources


def _lists() -> dict[str, list[str]]:
    text = resources.files(__package__).joinpath("categories.txt").read_text(encoding="utf-8")
    lists: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            current = lists[line.strip("[]")] = []
        elif line:
            current.append(line)
    return lists


CATEGORIES = _lists()

_IMAGENET_CATEGORIES = CATEGORIES["imagenet"]
_COCO_CATEGORIES = CATEGORIES["coco"]
_COCO_PERSON_CATEGORIES = CATEGORIES["person"]
_COCO_PERSON_KEYPOINT_NAMES = CATEGORIES["keypoints"]
_VOC_CATEGORIES = CATEGORIES["voc"]
_KINETICS400_CATEGORIES = CATEGORIES["kinetics"]
