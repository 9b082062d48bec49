"""What the first page says, in both languages."""

from __future__ import annotations

from typing import Any

#: What it is, how this was made, what the first text is called, then rows of a heading and of
#: (page, sentence) for each page below it.
FIRST: dict[str, Any] = {
    "en": (
        "A deep-learning framework in Python whose subject is the chain rule",
        "It runs programs written for PyTorch and for Keras, shows the mathematics of what it "
        "runs, and can be read. Everything here was written by the library, or run by it, when "
        "these pages were built.",
        "What chainrule is",
        (
            "Start here",
            ("readme", "And a first program, in either face"),
            ("from-pytorch", "What is the same, what is different"),
            ("from-keras", "What is the same, what is different"),
        ),
        (
            "Tutorials",
            (
                "tutorials-chain-rule",
                "One rule, from a composed function to attention; all checked",
            ),
            ("tutorials-minigrad", "Nodes, gradients, code: a framework that works, on one page"),
            ("tutorials-machine-code", "One step, from the line you wrote to the instructions"),
            ("tutorials-when-it-does-not-learn", "Planted faults, and what finds them"),
        ),
        (
            "Reference",
            ("ops", "{ops} ops: formula, derived gradient, source, example, curve"),
            ("layers", "{layers} layers of both faces: the same, from what they record"),
            ("mathematics", "The formulas of networks, in their order"),
        ),
        (
            "How it is built",
            ("architecture", "The folders, in the order in which a program passes through them"),
            ("decisions", "Why it is as it is"),
            ("conformance", "How much of PyTorch and Keras agrees"),
            ("contributing", "How to add an op, how to test"),
            ("changelog", "What changed"),
        ),
    ),
    "zh": (
        "以链式法则为主题的 Python 深度学习框架",
        "它运行为 PyTorch 和 Keras 写的程序，展示所运行的数学，而且可以读懂。"
        "这里的一切，都由库写出，或在生成这些页面时由库运行过。",
        "chainrule 是什么",
        (
            "从这里开始",
            ("readme", "以及两个界面各自的第一个程序"),
            ("from-pytorch", "哪些相同，哪些不同"),
            ("from-keras", "哪些相同，哪些不同"),
        ),
        (
            "教程",
            ("tutorials-chain-rule", "一条法则，从复合函数到注意力，每个数都核对过"),
            ("tutorials-minigrad", "结点、梯度、化简、代码：一页之内，一个能用的框架"),
            ("tutorials-machine-code", "一个训练步，从你写下的那行到运行的指令"),
            ("tutorials-when-it-does-not-learn", "埋下的错误，以及怎样找到它们"),
        ),
        (
            "参考",
            ("ops", "{ops} 个运算：公式、推导出的梯度、源代码、例子、曲线"),
            ("layers", "两个界面的 {layers} 个层：同样的内容，取自它们的记录"),
            ("mathematics", "网络的公式，依次列出"),
        ),
        (
            "它是怎样造的",
            ("architecture", "各个文件夹，按程序经过的次序"),
            ("decisions", "为什么是这样"),
            ("conformance", "与 PyTorch 和 Keras 有多少一致"),
            ("contributing", "怎样添加运算，怎样测试"),
            ("changelog", "有哪些变化"),
        ),
    ),
}
