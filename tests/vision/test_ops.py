"""Ops on boxes and regions, against loops that say what they mean."""

import math

import numpy as np
import pytest

import chainrule as torch
from chainrule import nn
from chainrule.vision import ops
from chainrule.vision.ops._utils import split_normalization_params

BOXES = [[0.0, 0, 10, 10], [1, 1, 11, 11], [0, 0, 9, 10], [20, 20, 30, 33], [20, 21, 30, 32]]
REGIONS = [
    [0.0, 1.2, 2.3, 7.9, 8.4],
    [1, 0, 0, 11, 9],
    [0, 5.5, 5.5, 5.6, 5.7],
    [1, -3, -2, 14, 12],
]


def pixel(plane: np.ndarray, y: float, x: float) -> float:
    """Between pixels; the image's edge goes on for 1, then there is nothing."""
    height, width = plane.shape
    if y < -1 or y > height or x < -1 or x > width:
        return 0.0
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    dy, dx = y - y0, x - x0
    top = plane[y0, x0] * (1 - dx) + plane[y0, x1] * dx
    return top * (1 - dy) + (plane[y1, x0] * (1 - dx) + plane[y1, x1] * dx) * dy


def aligned_region(image, region, bins, scale, ratio, aligned, channel_of):
    number, *corners = region
    x1, y1, x2, y2 = (v * scale - (0.5 if aligned else 0) for v in corners)
    width, height = x2 - x1, y2 - y1
    if not aligned:
        width, height = max(width, 1.0), max(height, 1.0)
    gy = ratio if ratio > 0 else math.ceil(height / bins[0])
    gx = ratio if ratio > 0 else math.ceil(width / bins[1])
    channels = channel_of(None, None, None)
    out = np.zeros((channels, *bins))
    for c in range(channels):
        for i in range(bins[0]):
            for j in range(bins[1]):
                plane = image[int(number), channel_of(c, i, j)]
                values = [
                    pixel(
                        plane,
                        y1 + (i + (a + 0.5) / gy) * height / bins[0],
                        x1 + (j + (b + 0.5) / gx) * width / bins[1],
                    )
                    for a in range(gy)
                    for b in range(gx)
                ]
                out[c, i, j] = sum(values) / max(len(values), 1)
    return out


@pytest.mark.parametrize("ratio", [-1, 2])
@pytest.mark.parametrize("aligned", [False, True])
def test_roi_align_is_the_mean_of_samples_in_each_bin(ratio: int, aligned: bool) -> None:
    image = np.random.default_rng(0).standard_normal((2, 3, 10, 12))
    wanted = [
        aligned_region(image, r, (3, 2), 0.8, ratio, aligned, lambda c, i, j: 3 if c is None else c)
        for r in REGIONS
    ]
    x, regions = torch.tensor(image, requires_grad=True), torch.tensor(REGIONS, dtype=torch.double)
    found = ops.roi_align(x, regions, (3, 2), 0.8, ratio, aligned)
    np.testing.assert_allclose(found.detach(), np.stack(wanted), atol=1e-12)
    weights = np.random.default_rng(7).standard_normal(found.shape)
    (found * torch.tensor(weights)).sum().backward()
    step = np.random.default_rng(8).standard_normal(image.shape)  # it is linear in the image
    moved = ops.roi_align(torch.tensor(step), regions, (3, 2), 0.8, ratio, aligned)
    assert abs((x.grad.numpy() * step).sum() - (moved.numpy() * weights).sum()) < 1e-9
    layer = ops.RoIAlign((3, 2), 0.8, ratio, aligned)
    lists = [regions[regions[:, 0] == i][:, 1:] for i in (0, 1)]
    order = [0, 2, 1, 3]  # the list is sorted by image
    np.testing.assert_allclose(layer(x, lists).detach(), np.stack(wanted)[order], atol=1e-12)


def test_ps_roi_align_reads_a_channel_for_each_bin() -> None:
    image = np.random.default_rng(1).standard_normal((2, 12, 10, 12))

    def channel_of(c, i, j):
        return 3 if c is None else (c * 2 + i) * 2 + j

    wanted = [aligned_region(image, r, (2, 2), 0.9, 2, True, channel_of) for r in REGIONS]
    regions = torch.tensor(REGIONS, dtype=torch.double)
    found = ops.ps_roi_align(torch.tensor(image), regions, 2, 0.9, 2)
    np.testing.assert_allclose(found, np.stack(wanted), atol=1e-12)
    with pytest.raises(RuntimeError, match="multiple of pooling height"):
        ops.ps_roi_align(torch.tensor(image), regions, 5)


def bins_of(low: float, high: float, bins: int, limit: int, extra: int) -> list[range]:
    first, last = (math.floor(abs(v) + 0.5) * (1 if v >= 0 else -1) for v in (low, high))
    size = max(last - first + extra, 1) / bins
    cut = [(math.floor(i * size) + first, math.ceil((i + 1) * size) + first) for i in range(bins)]
    return [range(min(max(a, 0), limit), min(max(b, 0), limit)) for a, b in cut]


def test_roi_pool_takes_the_largest_pixel_of_each_bin() -> None:
    image = np.random.default_rng(2).standard_normal((2, 3, 10, 12))
    regions = [*REGIONS, [0.0, 20, 20, 30, 30]]  # the last lies outside: zeros
    x = torch.tensor(image, requires_grad=True)
    found = ops.roi_pool(x, torch.tensor(regions, dtype=torch.double), (3, 2), 0.8)
    for k, (number, x1, y1, x2, y2) in enumerate(regions):
        rows = bins_of(y1 * 0.8, y2 * 0.8, 3, 10, 1)
        columns = bins_of(x1 * 0.8, x2 * 0.8, 2, 12, 1)
        for i, ys in enumerate(rows):
            for j, xs in enumerate(columns):
                part = image[int(number)][:, ys.start : ys.stop, xs.start : xs.stop]
                wanted = part.max(axis=(1, 2)) if part.size else np.zeros(3)
                np.testing.assert_array_equal(found[k, :, i, j].detach(), wanted)
    found.sum().backward()
    filled = int((found != 0).sum().item())
    assert x.grad.sum().item() == filled


def test_ps_roi_pool_is_the_mean_of_each_bins_own_channel() -> None:
    image = np.random.default_rng(3).standard_normal((2, 8, 10, 12))
    regions = torch.tensor(REGIONS, dtype=torch.double)
    found = ops.ps_roi_pool(torch.tensor(image), regions, 2, 0.8)
    for k, (number, x1, y1, x2, y2) in enumerate(REGIONS):
        for i, ys in enumerate(bins_of(y1 * 0.8, y2 * 0.8, 2, 9, 0)):
            for j, xs in enumerate(bins_of(x1 * 0.8, x2 * 0.8, 2, 11, 0)):
                for c in range(2):
                    own = image[int(number), (c * 2 + i) * 2 + j]
                    part = own[ys.start : ys.stop, xs.start : xs.stop]
                    wanted = part.mean() if part.size else 0.0
                    assert abs(found[k, c, i, j].item() - wanted) < 1e-12


def iou(a, b) -> float:
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def test_iou_of_all_pairs_in_three_formats() -> None:
    boxes = torch.tensor(BOXES)
    wanted = [[iou(a, b) for b in BOXES[:3]] for a in BOXES]
    for fmt in ("xyxy", "xywh", "cxcywh"):
        own = ops.box_convert(boxes, "xyxy", fmt)
        np.testing.assert_allclose(ops.box_iou(own, own[:3], fmt), wanted, rtol=1e-5)
        np.testing.assert_allclose(ops.box_convert(own, fmt, "xyxy"), boxes, rtol=1e-6)
        np.testing.assert_allclose(ops.box_area(own, fmt), [100, 100, 90, 130, 110], rtol=1e-6)
    with pytest.raises(NotImplementedError, match="rotated"):
        ops.box_iou(torch.zeros(1, 5), torch.zeros(1, 5), "xywhr")
    with pytest.raises(ValueError, match="Unsupported"):
        ops.box_convert(boxes, "xyxy", "yxyx")


def test_rotated_boxes_come_back() -> None:
    boxes = torch.tensor([[3.0, 4, 5, 2, 30], [0, 0, 2, 4, -70]])
    for fmt in ("cxcywhr", "xyxyxyxy"):
        there = ops.box_convert(boxes, "xywhr", fmt)
        np.testing.assert_allclose(ops.box_convert(there, fmt, "xywhr"), boxes, atol=1e-5)


def test_nms_keeps_the_best_of_boxes_that_overlap() -> None:
    boxes, scores = torch.tensor(BOXES), torch.tensor([0.5, 0.9, 0.8, 0.3, 0.7])
    order = sorted(range(5), key=lambda i: -scores[i].item())
    kept: list[int] = []
    for i in order:
        if all(iou(BOXES[i], BOXES[j]) <= 0.5 for j in kept):
            kept.append(i)
    assert ops.nms(boxes, scores, 0.5).tolist() == kept
    classes = torch.tensor([0, 1, 0, 2, 2])
    assert ops.batched_nms(boxes, scores, classes, 0.5).tolist() == [1, 2, 4]
    assert ops.nms(boxes[:0], scores[:0], 0.5).shape == (0,)
    assert ops.batched_nms(boxes[:0], scores[:0], classes[:0], 0.5).dtype is torch.int64
    with pytest.raises(RuntimeError, match=r"boxes should be \(N, 4\)"):
        ops.nms(boxes[0], scores, 0.5)


def test_small_and_distant_boxes() -> None:
    boxes = torch.tensor([[0.0, 0, 1, 9], [-5, 3, 50, 60]])
    assert ops.remove_small_boxes(boxes, 2).tolist() == [1]
    assert ops.clip_boxes_to_image(boxes, (30, 40)).tolist() == [[0, 0, 1, 9], [0, 3, 40, 30]]


def test_masks_become_boxes() -> None:
    masks = torch.zeros(2, 6, 7, dtype=torch.uint8)
    masks[0, 2:5, 1:3] = 1
    assert ops.masks_to_boxes(masks).tolist() == [[1, 2, 2, 4], [0, 0, 0, 0]]


def test_better_ious_and_their_losses_agree() -> None:
    a, b = torch.tensor(BOXES[:3]), torch.tensor(BOXES[1:4])
    for pairs, loss in (
        (ops.generalized_box_iou, ops.generalized_box_iou_loss),
        (ops.distance_box_iou, ops.distance_box_iou_loss),
        (ops.complete_box_iou, ops.complete_box_iou_loss),
    ):
        diagonal = pairs(a, b).diagonal()
        np.testing.assert_allclose(loss(a, b), 1 - diagonal, rtol=1e-4, atol=1e-5)
        assert abs(loss(a, b, reduction="mean").item() - (1 - diagonal).mean().item()) < 1e-5
        assert loss(a[:0], b[:0], reduction="mean").item() == 0
        with pytest.raises(ValueError, match="Supported reduction modes"):
            loss(a, b, reduction="max")
    same = ops.generalized_box_iou(a, a).diagonal()
    np.testing.assert_allclose(same, np.ones(3), rtol=1e-6)


def test_focal_loss_is_its_formula() -> None:
    x, t = torch.tensor([-1.0, 0.5, 2.0]), torch.tensor([0.0, 1.0, 1.0])
    p = 1 / (1 + np.exp(-x.numpy().astype(float)))
    p_t = np.where(t.numpy() == 1, p, 1 - p)
    alpha = np.where(t.numpy() == 1, 0.25, 0.75)
    wanted = -alpha * (1 - p_t) ** 2 * np.log(p_t)
    np.testing.assert_allclose(ops.sigmoid_focal_loss(x, t), wanted, rtol=1e-5)
    plain = ops.sigmoid_focal_loss(x, t, alpha=-1, gamma=0, reduction="sum").item()
    assert abs(plain - -np.log(p_t).sum()) < 1e-5


def test_deformable_convolution_without_offsets_is_a_convolution() -> None:
    torch.manual_seed(0)
    layer = ops.DeformConv2d(4, 6, 3, stride=2, padding=1, dilation=1, groups=2)
    x = torch.randn(2, 4, 9, 8)
    offset = torch.zeros(2, 2 * 9, 5, 4)
    wanted = nn.functional.conv2d(x, layer.weight, layer.bias, 2, 1, 1, 2)
    np.testing.assert_allclose(layer(x, offset).detach(), wanted.detach(), rtol=1e-4, atol=1e-5)
    half = torch.full((2, 9, 5, 4), 0.5)
    inner = layer(x, offset, half) - layer.bias[:, None, None]
    outer = (wanted - layer.bias[:, None, None]) * 0.5
    np.testing.assert_allclose(inner.detach(), outer.detach(), rtol=1e-4, atol=1e-5)
    with pytest.raises(RuntimeError, match="offset tensor at dimension 1"):
        ops.deform_conv2d(x, offset[:, :3], layer.weight)


def test_deformable_convolution_reads_where_it_is_told() -> None:
    rng = np.random.default_rng(5)
    image, offset = rng.standard_normal((1, 2, 6, 6)), rng.standard_normal((1, 4 * 4, 5, 5)) * 1.5
    weight = rng.standard_normal((3, 2, 2, 2))
    found = ops.deform_conv2d(*(torch.tensor(v) for v in (image, offset, weight)))
    moved = offset.reshape(2, 2, 2, 2, 5, 5)  # groups of channels, kernel, (y, x), places
    padded = np.pad(image[0], ((0, 0), (9, 9), (9, 9)))
    wanted = np.zeros((3, 5, 5))
    for c in range(2):
        for i in range(2):
            for j in range(2):
                for y in range(5):
                    for x in range(5):
                        dy, dx = moved[c, i, j, :, y, x]
                        value = pixel(padded[c], y + i + dy + 9, x + j + dx + 9)
                        wanted[:, y, x] += weight[:, c, i, j] * value
    np.testing.assert_allclose(found[0], wanted, atol=1e-12)


def test_drop_block_and_stochastic_depth_keep_the_mean_and_rest_in_evaluation() -> None:
    torch.manual_seed(0)
    x = torch.ones(8, 16, 15, 15)
    dropped = ops.drop_block2d(x, 0.2, 5)
    assert abs(dropped.mean().item() - 1) < 1e-3
    zeros = (dropped == 0).float().mean().item()
    assert 0.1 < zeros < 0.3
    assert ops.drop_block3d(torch.ones(1, 2, 5, 5, 5), 0.3, 3).shape == (1, 2, 5, 5, 5)
    layer = ops.DropBlock2d(0.2, 5).eval()
    np.testing.assert_array_equal(layer(x), x)
    rows = ops.stochastic_depth(torch.ones(1000, 2), 0.25, "row")
    assert set(np.unique(rows.numpy())) <= {0.0, np.float32(1 / 0.75)}
    assert abs(rows.mean().item() - 1) < 0.1
    with pytest.raises(ValueError, match="odd"):
        ops.drop_block2d(x, 0.2, 4)


def test_a_frozen_norm_is_a_norm_in_evaluation() -> None:
    norm, frozen = nn.BatchNorm2d(3), ops.FrozenBatchNorm2d(3)
    with torch.no_grad():
        for value in norm.state_dict().values():
            if value.is_floating_point():
                value.copy_(torch.rand(3) + 0.5)
    frozen.load_state_dict(norm.state_dict())  # its count of batches is left out
    x = torch.randn(2, 3, 4, 4)
    np.testing.assert_allclose(frozen(x), norm.eval()(x).detach(), rtol=1e-4, atol=1e-5)
    assert list(frozen.parameters()) == []


def test_regions_come_from_the_level_that_fits_their_size() -> None:
    pool = ops.MultiScaleRoIAlign(["fine", "coarse"], 2, sampling_ratio=2, canonical_scale=32)
    features = {"fine": torch.ones(1, 1, 32, 32), "coarse": torch.full((1, 1, 16, 16), 2.0)}
    boxes = torch.tensor([[0.0, 0, 20, 20], [0, 0, 128, 128], [0, 0, 8, 9]])
    pool.canonical_level = 3
    out = pool(features, [boxes], [(128, 128)])
    assert out.shape == (3, 1, 2, 2)
    assert out[:, 0, 0, 0].tolist() == [1, 2, 1]
    with pytest.raises(ValueError, match="images list should not be empty"):
        ops.MultiScaleRoIAlign(["fine"], 2, 2)(features, [boxes], [])


def test_norms_and_other_parameters_are_told_apart() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Linear(2, 2, bias=False))
    norms, others = split_normalization_params(net)
    assert (len(norms), len(others)) == (2, 3)
