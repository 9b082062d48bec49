"""What pages and findings say, in English and in Chinese.

The English text is the key, so that code reads as what it says.

>>> say = words("zh")
>>> say("Layer"), words("en")("Layer")
('层', 'Layer')
"""

from __future__ import annotations

from collections.abc import Callable

from chainrule.explain.pages.chinese import CHECK, WHY
from chainrule.explain.pages.chinese_attribution import ATTRIBUTION
from chainrule.explain.pages.chinese_backprop import BACKPROP
from chainrule.explain.pages.chinese_report import REPORT

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
    "The mathematics of the model": "模型的数学",
    "Conventions": "约定",
    "Symbols": "符号",
    "Update": "参数更新",
    "input": "输入",
    "target": "目标",
    "parameter": "参数",
    "buffer": "缓冲区",
    "mask": "掩码",
    "constant": "常数",
    "given": "给定",
    "An equation holds for every sample {n}, and every position {t} or place {p}, {q}, that its "
    "symbols have. Features are the rows of a column vector: a batch stored as rows is read as "
    "columns, so a layer is {W a + b}.": (
        "每个等式对其符号所含的每个样本 {n}、每个位置 {t} 或像素 {p}, {q} 成立。"
        "特征是列向量的行：按行存放的批次在这里读作列，所以一层写作 {W a + b}。"
    ),
    "{\\sum_{n}} adds over samples, {\\sum_{i}} over the rows of a vector, {\\sum_{j}} over the "
    "columns of a matrix; a sum reaches to the end of its product.": (
        "{\\sum_{n}} 对样本求和，{\\sum_{i}} 对向量的行求和，{\\sum_{j}} 对矩阵的列求和；"
        "求和号管到它后面的乘积末尾。"
    ),
    "{x \\odot y} is the product element by element.": "{x \\odot y} 是逐元素相乘。",
    "{\\delta = \\partial L / \\partial z} for every affine value {z}.": (
        "对每个仿射值 {z}，{\\delta = \\partial L / \\partial z}。"
    ),
    "{[z > 0]} is 1 where the condition holds, and 0 elsewhere.": (
        "{[z > 0]} 在条件成立处为 1，其余为 0。"
    ),
    "{(W \\star x)_{o}(p,q) = \\sum_{c,u,v} W_{o,c,u,v}\\, "
    "x_{c}(p+u, q+v)}: a sum over channels and "
    "offsets; {s} is the stride, {p} the padding with zeros, {d} the dilation, {g} the groups.": (
        "{(W \\star x)_{o}(p,q) = \\sum_{c,u,v} W_{o,c,u,v}\\, x_{c}(p+u, q+v)}："
        "对通道与偏移求和；{s} 为步幅，{p} 为补零，{d} 为膨胀，{g} 为分组数。"
    ),
    "{W \\star^{T} \\delta} is the transpose of this "
    "map: every {\\delta_{o}} goes back through the "
    "kernel to the places that its window had (the size is that of the result).": (
        "{W \\star^{T} \\delta} 是该映射的转置：每个 {\\delta_{o}} 经卷积核回到其窗口所在的位置"
        "（所写尺寸为结果的尺寸）。"
    ),
    "{(\\delta \\circledast x)_{o,c,u,v} = \\sum_{p,q} "
    "\\delta_{o}(p,q)\\, x_{c}(p+u, q+v)}, with the "
    "same stride and padding.": (
        "{(\\delta \\circledast x)_{o,c,u,v} = \\sum_{p,q} \\delta_{o}(p,q)\\, x_{c}(p+u, q+v)}，"
        "步幅与补零相同。"
    ),
    "{\\operatorname{maxpool}_{2\\times 2}} takes the largest element of every window.": (
        "{\\operatorname{maxpool}_{2\\times 2}} 取每个窗口的最大元素。"
    ),
    "{\\operatorname{maxpool}^{T}(\\delta; a)} gives each "
    "{\\delta} to the place in {a} where its window "
    "has its maximum.": (
        "{\\operatorname{maxpool}^{T}(\\delta; a)} 把每个 "
        "{\\delta} 交给 {a} 中其窗口取得最大值的位置。"
    ),
    "{\\operatorname{sumpool}^{T}(\\delta; H\\times W)} gives each {\\delta} to all places of its "
    "window.": (
        "{\\operatorname{sumpool}^{T}(\\delta; H\\times W)} 把每个 {\\delta} 交给其窗口的所有位置。"
    ),
    "{\\operatorname{rows}_{t}(x)} is the matrix with "
    "the rows {x_{t}^{T}}; {X_{t}} is row {t} of a "
    "matrix, as a column.": (
        "{\\operatorname{rows}_{t}(x)} 是以 {x_{t}^{T}} 为行的矩阵；"
        "{X_{t}} 是矩阵的第 {t} 行，写成列向量。"
    ),
    "{\\operatorname{split}_{h=2,i=4}(x)} cuts a vector into 2 parts of 4, "
    "{\\operatorname{concat}_{h}} and {\\operatorname{vec}} "
    "put the parts together, the last letter "
    "running fastest.": (
        "{\\operatorname{split}_{h=2,i=4}(x)} 把向量分为 2 段、每段 4 个元素，"
        "{\\operatorname{concat}_{h}} 与 {\\operatorname{vec}} "
        "再把它们拼起来，最后一个字母变化最快。"
    ),
    "{\\operatorname{softmax}} is taken of a vector, or of each row of a matrix.": (
        "{\\operatorname{softmax}} 作用于向量，或矩阵的每一行。"
    ),
    "{\\mathbf{e}^{K}_{k}} is the unit vector of length {K} with a 1 at place {k}.": (
        "{\\mathbf{e}^{K}_{k}} 是长度为 {K}、第 {k} 个元素为 1 的单位向量。"
    ),
    "{E_{w}} is row {w} of a table, as a column: the vector of word {w}.": (
        "{E_{w}} 是表的第 {w} 行，写成列向量：词 {w} 的向量。"
    ),
    "{\\mathbf{1}_{p=6,q=6}} has ones only: the same value at every place.": (
        "{\\mathbf{1}_{p=6,q=6}} 的元素全为 1：每个位置的值相同。"
    ),
    "{z_{1:4}} are rows 1 to 4.": "{z_{1:4}} 是第 1 到第 4 行。",
    "{\\operatorname{pad}_{t=a|b}} puts {a} zeros before and {b} behind, along {t}.": (
        "{\\operatorname{pad}_{t=a|b}} 沿 {t} 在前面补 {a} 个零、在后面补 {b} 个零。"
    ),
    "{\\bar{h}_{t}} is {\\partial L / \\partial h_{t}}, through all later steps.": (
        "{\\bar{h}_{t}} 是 {\\partial L / \\partial h_{t}}，经由之后的所有步。"
    ),
    "{m} is a mask that was drawn (dropout: 0, or 1/(1 − p)).": (
        "{m} 是随机抽取的掩码（dropout：0 或 1/(1 − p)）。"
    ),
}


def words(lang: str = "en") -> Callable[[str], str]:
    """How to say an English text in a language: "en" or "zh"."""
    if lang not in LANGUAGES:
        raise ValueError(f"lang is one of {', '.join(map(repr, LANGUAGES))}, got {lang!r}")
    return CHINESE.__getitem__ if lang == "zh" else str
