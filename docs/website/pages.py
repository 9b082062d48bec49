"""Ops and layers as pages, and the lists of them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from chainrule.explain.pages.page import escape
from website.examples import pairs
from website.layers import Layer
from website.operations import Operation, paragraphs
from website.shell import Page, code, coloured, formula, heading, printed
from website.sources import ROOT, Excerpt

#: Topics in the order in which they are listed: file of the source → both names.
TOPICS = {
    "elementwise": ("Element by element", "逐元素"),
    "activations": ("Activations, softmax", "激活函数与 softmax"),
    "losses": ("Losses", "损失"),
    "norms": ("Normalisation", "归一化"),
    "contract": ("Products and convolutions", "乘积与卷积"),
    "pooling": ("Pooling", "池化"),
    "recurrent": ("Recurrence", "循环"),
    "attention": ("Attention", "注意力"),
    "reduce": ("Reductions, sorting", "归约与排序"),
    "movement": ("Moving elements", "移动元素"),
    "index": ("Reading and writing at places", "按位置读写"),
    "updates": ("Optimisers' rules", "优化器的更新规则"),
    "random": ("Random numbers", "随机数"),
    "special": ("Special functions", "特殊函数"),
    "special_functions": ("Special functions", "特殊函数"),
    "complex": ("Complex numbers", "复数"),
    "fourier": ("Fourier transforms", "傅里叶变换"),
    "linalg": ("Linear algebra", "线性代数"),
    "ctc": ("Connectionist temporal classification", "CTC"),
    "loop": ("Loops", "循环结构"),
    "transforms": ("Transformations of functions", "函数变换"),
    "core": ("Leaves", "叶结点"),
}

_FOLDED = 2600  # signs of TeX: longer derivations are closed at first
_TOPIC_ZH = {
    "activation": "激活", "attention": "注意力", "augmentation": "数据增强", "base": "基类",
    "batchnorm": "批归一化", "cells": "循环单元", "channelshuffle": "通道", "container": "容器",
    "conv": "卷积", "conv_recurrent": "卷积循环", "convolution": "卷积", "core": "核心",
    "dense": "全连接", "distance": "距离", "dropout": "随机失活", "embedding": "嵌入",
    "flatten": "展平", "fold": "展开与折叠", "input_spec": "输入", "instancenorm": "实例归一化",
    "linear": "线性", "loss": "损失", "merging": "合并", "module": "基类",
    "normalization": "归一化", "padding": "填充", "parallel": "并行",
    "pixelshuffle": "像素重排", "pooling": "池化",
    "preprocessing": "预处理", "recurrent": "循环", "regularization": "正则化",
    "reshaping": "变形", "rnn": "循环", "sparse": "嵌入", "torch_module": "PyTorch 模块",
    "transformer": "Transformer", "upsampling": "上采样", "vision": "图像", "wrappers": "包装",
    "adaptive": "自适应 softmax", "images": "图像", "simple": "函数层",
}  # fmt: skip

Source = Callable[[Excerpt], str]


def op_page(d: Operation, used: Iterable[str], source: Source) -> Page:
    """One op. `used` are the pages of layers that record it."""
    url, op = f"ops/{d.op.name}.html", d.op
    english, chinese = TOPICS.get(d.topic, (d.topic, ""))
    parts = [
        f'<p class="crumbs"><a href="../ops.html">Ops · 运算</a> / <a href="../ops.html#{d.topic}">'
        f"{english} · {chinese}</a></p>",
        f"<h1><code>{op.name}</code></h1>",
        *(f"<p>{_words(p)}</p>" for p in paragraphs(op.__doc__ or "")),
        heading("Formula", "公式"),
    ]
    if d.index_form:
        parts.append(formula(d.index_form))
    if not d.index_form or d.formula not in ("y = x",):
        parts.append(formula(d.formula))
    if d.definition:
        parts += ["<p>By definition · 定义</p>", _derivation(d.definition)]
    rows = "".join(f"<tr><td>{_value(n)}</td><td><code>{t}</code></td></tr>" for n, t in d.types)
    parts.append(_table(("value · 值", "type here · 此处的类型"), rows))
    parts.append(heading("Gradient", "梯度"))
    if d.gradient:
        parts.append(
            "<p>Derived by the library; a bar is ∂L/∂ of what stands under it. "
            '<span lang="zh">由库推导；上横线表示 L 对它的偏导数。</span></p>'
        )
        parts.append(_derivation(d.gradient))
    if d.remark:
        parts.append(f"<p>{escape(d.remark)}</p>")
    if d.gradient and op.gradient is None:
        parts.append("<p>No rule stands beside the op: this follows from its formula.</p>")
    if d.checked:
        parts.append(f'<p class="muted">{escape(d.checked)}</p>')
    if d.plot:
        parts += [heading("Curve", "曲线"), d.plot]
    parts += [heading("Example", "例子"), code(d.example.code), printed(d.example.printed)]
    parts.append(heading("Source", "源代码"))
    parts += [_excerpt(e, source, url) for e in d.written.definition]
    if d.written.rule:
        parts.append("<p>Gradient rule · 梯度规则</p>")
        parts += [_excerpt(e, source, url) for e in d.written.rule]
    also = []
    if op.torch:
        also.append(f"PyTorch: <code>torch.{op.torch}</code>")
    if d.keras:
        also.append(f"Keras: <code>{d.keras}</code>")
    layers = [
        f'<a href="../{u}">{u[:-5].replace("nn/", "nn.").replace("keras/", "keras.layers.")}</a>'
        for u in used
    ]
    if layers:
        also.append("Layers that record it · 用到它的层: " + ", ".join(layers))
    if also:
        parts += [heading("See also", "另见"), *(f"<p>{a}</p>" for a in also)]
    first = (op.__doc__ or "").strip().partition("\n")[0]
    keys = f"{op.torch or ''} {d.keras} {english} {chinese} {first}"
    return Page(url, op.name, "op", "\n".join(parts), keys=keys)


def layer_page(d: Layer, ops: Mapping[str, str], source: Source) -> Page:
    """One layer. `ops` are the pages of ops by name."""
    url = f"{d.face}/{d.name}.html"
    room = "nn" if d.face == "nn" else "keras.layers"
    topic = f"{d.face}-{d.topic}"
    parts = [
        f'<p class="crumbs"><a href="../layers.html">Layers · 层</a> / '
        f'<a href="../layers.html#{topic}">{room}: {_topic(d.topic)}</a></p>',
        f"<h1><code>{room}.{d.name}</code></h1>",
    ]
    if d.aliases:
        names = ", ".join(f"<code>{a}</code>" for a in d.aliases)
        parts.append(f'<p class="muted">Also called · 别名: {names}</p>')
    parts.append(f'<div class="wide">{code(d.name + d.signature)}</div>')
    parts += [f"<p>{_words(p)}</p>" for p in paragraphs(d.kind.__doc__ or "")]
    parts.append(heading("Formula", "公式"))
    if d.formula:
        parts.append(
            '<p>Of the example below, as recorded. <span lang="zh">下面例子的记录。</span></p>'
        )
        parts.append(_derivation(d.formula))
    if d.remark:
        parts.append(f"<p>{escape(d.remark)}</p>")
    parts.append(heading("Gradient", "梯度"))
    if d.gradient:
        parts.append(_derivation(d.gradient))
    else:
        parts.append(f"<p>{escape(d.remark)}</p>")
    if d.textbook:
        parts += [
            heading("In textbook notation", "教科书的记法"),
            '<p>A batch stored as rows is read as columns here. <span lang="zh">'
            "按行存放的批次在这里读作列。</span></p>",
            _derivation(d.textbook),
        ]
    if d.parameters:
        rows = "".join(f"<tr><td><code>{n}</code></td><td>{s}</td></tr>" for n, s in d.parameters)
        parts += [
            heading("Parameters of the example", "例子的参数"),
            _table(("name · 名称", "shape · 形状"), rows),
        ]
    parts += [heading("Example", "例子"), code(d.example.code), printed(d.example.printed)]
    parts.append(heading("Source", "源代码"))
    parts += [_excerpt(e, source, url) for e in d.source]
    also = []
    if d.ops:
        links = [f'<a href="../{ops[o]}"><code>{o}</code></a>' for o in d.ops if o in ops]
        also.append("Ops · 运算: " + ", ".join(links))
    for a, b in pairs():
        mine, its, other = (a, b, "keras") if d.face == "nn" else (b, a, "nn")
        if mine in (d.name, *d.aliases):
            where = "keras.layers" if other == "keras" else "nn"
            link = f'<a href="../{other}/{its}.html"><code>{where}.{its}</code></a>'
            also.append(f"The same in the other face · 另一个界面: {link}")
    if also:
        parts += [heading("See also", "另见"), *(f"<p>{a}</p>" for a in also)]
    kind = f"{room}"
    return Page(
        url,
        d.name,
        kind,
        "\n".join(parts),
        keys=f"{' '.join(d.aliases)} {d.topic} {_TOPIC_ZH.get(d.topic, '')}",
    )


def _value(name: str) -> str:
    """A name as code, a symbol as mathematics."""
    parts = name.split(", ")
    told = [f"<code>{p}</code>" if p.isidentifier() else formula(p, False) for p in parts]
    return " ".join(told)


def _table(heads: Sequence[str], rows: str) -> str:
    top = "".join(f"<th>{h}</th>" for h in heads)
    return f'<div class="wide"><table><tr>{top}</tr>{rows}</table></div>'


def _topic(name: str) -> str:
    chinese = _TOPIC_ZH.get(name, "")
    return name.replace("_", " ") + (f" · {chinese}" if chinese else "")


def _derivation(tex: str) -> str:
    made = formula(tex)
    if len(tex) < _FOLDED:
        return made
    return f"<details><summary>{tex.count(chr(92) * 2) + 1} lines · 行</summary>{made}</details>"


def _words(text: str) -> str:
    """A paragraph of a docstring: `code` is code, addresses stay text."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _excerpt(e: Excerpt, source: Source, url: str) -> str:
    to = posixpath.relpath(source(e), posixpath.dirname(url))
    lines = "\n".join(coloured(ROOT / e.file)[e.line - 1 : e.line + e.text.count("\n")])
    place = f'<p class="place"><a href="{to}#L{e.line}">{e.file}:{e.line}</a></p>'
    return f'{place}<pre class="hl"><code>{lines}</code></pre>'


def ops_index(found: Sequence[Operation]) -> Page:
    """All ops by topic."""
    parts = [heading("Ops", "运算", 1)]
    parts.append(
        f"<p>{len(found)} ops are the vocabulary of every graph. Each page has formula, derived "
        'gradient, source and an example that was run. <span lang="zh">每张计算图都由这些运算组成；'
        "每页都有公式、推导出的梯度、源代码和运行过的例子。</span></p>"
    )
    for topic, (english, chinese) in TOPICS.items():
        mine = sorted((d for d in found if d.topic == topic), key=lambda d: d.op.name)
        if mine:
            parts.append(f'<section id="{topic}">{heading(english, chinese)}')
            items = "".join(
                f'<li><a href="ops/{d.op.name}.html"><code>{d.op.name}</code></a></li>'
                for d in mine
            )
            parts.append(f'<ul class="names">{items}</ul></section>')
    return Page("ops.html", "Ops · 运算", "list", "\n".join(parts), keys="运算 operations")


def layers_index(found: Sequence[Layer]) -> Page:
    """All layers by face and topic."""
    parts = [heading("Layers", "层", 1)]
    for face, room in (("nn", "chainrule.nn"), ("keras", "chainrule.keras.layers")):
        mine = [d for d in found if d.face == face]
        parts.append(f"<h2><code>{room}</code></h2>")
        for topic in sorted({d.topic for d in mine}):
            names = sorted(
                (n, d.name) for d in mine if d.topic == topic for n in (d.name, *d.aliases)
            )
            items = "".join(
                f'<li><a href="{face}/{own}.html"><code>{n}</code></a></li>' for n, own in names
            )
            parts.append(
                f'<section id="{face}-{topic}"><h3>{_topic(topic)}</h3>'
                f'<ul class="names">{items}</ul></section>'
            )
    return Page("layers.html", "Layers · 层", "list", "\n".join(parts), keys="层 modules")
