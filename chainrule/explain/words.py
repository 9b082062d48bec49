"""What pages and findings say, in English and in Chinese.

The English text is the key, so that code reads as what it says.

>>> say = words("zh")
>>> say("Layer"), words("en")("Layer")
('层', 'Layer')
"""

from __future__ import annotations

from collections.abc import Callable

LANGUAGES = ("en", "zh")

CHINESE = {
    "input": "输入",
    "output": "输出",
    "parameters": "个参数",
    "Layer": "层",
    "Shape": "形状",
    "Parameters": "参数",
    "Loss": "损失",
    "Gradient": "梯度",
    "Formula": "公式",
    "Forward pass": "前向传播",
    "Backward pass": "反向传播",
    "Contents": "目录",
}


def words(lang: str = "en") -> Callable[[str], str]:
    """How to say an English text in a language: "en" or "zh"."""
    if lang not in LANGUAGES:
        raise ValueError(f"lang is one of {', '.join(map(repr, LANGUAGES))}, got {lang!r}")
    return CHINESE.__getitem__ if lang == "zh" else str
