"""What pages and findings say, in English and in Chinese.

The English text is the key, so that code reads as what it says.

>>> say = words("zh")
>>> say("Layer"), words("en")("Layer")
('层', 'Layer')
"""

from __future__ import annotations

from collections.abc import Callable

from chainrule.explain.chinese import CHECK, WHY
from chainrule.explain.chinese_attribution import ATTRIBUTION
from chainrule.explain.chinese_backprop import BACKPROP
from chainrule.explain.chinese_report import REPORT

LANGUAGES = ("en", "zh")

CHINESE = {
    "Layer": "层",
    "Shape": "形状",
    "Parameters": "参数",
    "Loss": "损失",
    "Gradient": "梯度",
    "Formula": "公式",
    "Forward pass": "前向传播",
    "Backward pass": "反向传播",
    "Contents": "目录",
    **CHECK,
    **WHY,
    **REPORT,
    **BACKPROP,
    **ATTRIBUTION,
    "Summary": "概要",
    "Type": "类型",
    "Output": "输出形状",
    "Params": "参数量",
    "Trainable": "可训练",
    "Calls": "调用",
    "FLOPs": "FLOPs",
    "Moved": "访存",
    "Kept": "保留",
    "Forward": "前向",
    "Step": "训练",
    "Peak": "算力",
    "Memory": "带宽",
    "Bound by": "受限于",
    "compute": "计算",
    "memory": "内存",
    "overhead": "开销",
    "Input": "输入",
    "Training step": "训练一步",
    "Memory in training": "训练内存",
    "Machine at its best": "本机峰值",
    "at once": "（峰值）",
    "{n} ({size}), {fixed} not trainable": "{n}（{size}），其中 {fixed} 不可训练",
    "{n} ({size})": "{n}（{size}）",
    "{kept} of activations are kept for the backward pass": "其中为反向传播保留的激活值 {kept}",
    "{threads} threads: {flops}FLOP/s, {bytes}/s from memory (measured)": (
        "{threads} 个线程：{flops}FLOP/s，内存带宽 {bytes}/s（实测）"
    ),
    "{flops}FLOPs ({macs} multiply-adds), {bytes} moved": (
        "{flops}FLOPs（{macs} 次乘加），访存 {bytes}"
    ),
    "Give x or input_size for shapes, operations, memory and times.": (
        "给出 x 或 input_size，即可得到形状、运算量、内存与时间。"
    ),
    "FLOPs: a multiply-add is two, any other function of a number one; moving is none. A layer's "
    "include those of the layers inside it.": (
        "FLOPs：一次乘加计为两次，其他任何函数对每个数计为一次，移动数据不计。"
        "一层的运算量包含其内部各层。"
    ),
    "Peak, Memory: shares of the machine's best. More than 100% of memory comes from caches.": (
        "“算力”与“带宽”：占本机峰值的比例；带宽超过 100% 表示数据来自缓存。"
    ),
    "Forward, Step (forward and backward): each layer compiled and run alone, the least of several "
    "times. The totals are of the whole model as one program, which fuses layers.": (
        "“前向”与“训练”（前向加反向）：每层单独编译并运行，取多次中的最短用时。"
        "合计是整个模型作为一个程序的用时，其中各层已融合。"
    ),
}


def words(lang: str = "en") -> Callable[[str], str]:
    """How to say an English text in a language: "en" or "zh"."""
    if lang not in LANGUAGES:
        raise ValueError(f"lang is one of {', '.join(map(repr, LANGUAGES))}, got {lang!r}")
    return CHINESE.__getitem__ if lang == "zh" else str
