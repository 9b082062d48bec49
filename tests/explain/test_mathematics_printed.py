"""How the mathematics of a model is printed: names, blocks, languages, TeX, pages, update rules."""

import shutil
import subprocess

import pytest

import chainrule as torch
from chainrule import explain, keras, nn
from chainrule.explain.mathematics.notation import TEXTS
from chainrule.explain.mathematics.texts import broken
from chainrule.explain.pages.words import CHINESE
from chainrule.explain.printing.typeset import mathml, unicode


def mlp():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    x, y = torch.zeros(5, 3), torch.zeros(5, dtype=torch.long)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return explain.math(model, x, y, nn.CrossEntropyLoss(), optimizer=optimizer)


def recurrent():
    return explain.math(nn.LSTM(3, 4, 2), torch.zeros(5, 2, 3))


def encoder(layers=4):
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
    x = torch.zeros(2, 3, 8)
    return explain.math(nn.TransformerEncoder(layer, layers), x, x, nn.MSELoss())


def test_a_network_reads_as_in_the_books():
    lines = {line.left: line.right for line in mlp().lines}
    assert lines == {
        "z^{(1)}": "W^{(1)} x + b^{(1)}",
        "a^{(1)}": r"\operatorname{ReLU}(z^{(1)})",
        "z^{(2)}": "W^{(2)} a^{(1)} + b^{(2)}",
        "L": r"\frac{1}{5} \sum_{n} (-\log \operatorname{softmax}({z^{(2)}}_{n})_{y_{n}})",
        r"\delta^{(2)}": r"0.2 (\operatorname{softmax}(z^{(2)}) - \mathbf{e}^{2}_{y_{n}})",
        r"\frac{\partial L}{\partial W^{(2)}}": r"\sum_{n} {\delta^{(2)}}_{n} {{a^{(1)}}_{n}}^{T}",
        r"\frac{\partial L}{\partial b^{(2)}}": r"\sum_{n} {\delta^{(2)}}_{n}",
        r"\delta^{(1)}": r"{W^{(2)}}^{T} \delta^{(2)} \odot [a^{(1)} > 0]",
        r"\frac{\partial L}{\partial W^{(1)}}": r"\sum_{n} {\delta^{(1)}}_{n} {x_{n}}^{T}",
        r"\frac{\partial L}{\partial b^{(1)}}": r"\sum_{n} {\delta^{(1)}}_{n}",
    }


def test_symbols_say_which_parameter_they_are_and_its_shape():
    text = str(mlp())
    assert "W⁽¹⁾  0.weight  4 × 3  parameter" in text
    assert "∂L/∂W⁽¹⁾ = Σₙ δ⁽¹⁾ₙ xₙᵀ" in text
    assert mlp().gradient("2.bias").left == r"\frac{\partial L}{\partial b^{(2)}}"
    with pytest.raises(KeyError, match="nothing"):
        mlp().line("nothing")


def test_equal_blocks_are_written_once():
    four, eight = encoder(4), encoder(8)
    printed = [s.groups for s in four.sections]
    assert [g.first for g in printed[0] if g.folded] == [1]
    assert [g.last for g in printed[0] if g.folded] == [4]
    assert len(str(four).splitlines()) == len(str(eight).splitlines())
    assert "z⁽ᵏʼ¹⁾ = W_{QKV}⁽ᵏʼ¹⁾ u⁽ᵏ⁻¹ʼ⁶⁾ + b_{QKV}⁽ᵏʼ¹⁾" in str(four)
    assert len(eight.printed) >= len(eight.lines)


def test_attention_is_in_its_usual_notation():
    lines = {line.left: line.right for line in encoder(1).lines}
    assert lines["S^{(1)}"] == r"\frac{1}{2} Q^{(1)} {K^{(1)}}^{T}"
    assert lines["P^{(1)}"] == r"\operatorname{softmax}(S^{(1)})"
    assert lines["O^{(1)}"] == "P^{(1)} V^{(1)}"
    assert lines[r"\frac{\partial L}{\partial P^{(1)}}"] == (
        r"\frac{\partial L}{\partial O^{(1)}} {V^{(1)}}^{T}"
    )


def test_a_loop_says_what_one_step_does():
    shown = explain.math(nn.RNN(3, 4), torch.zeros(5, 2, 3))
    right = {line.left: line.right for line in shown.lines}
    over = next(line.over for line in shown.lines if line.over)
    assert right["{h^{(1)}}_{t}"] == r"\tanh ({z^{(1)}}_{t} + W_{h}^{(1)} {h^{(1)}}_{t-1})"
    assert (over.length, over.reverse) == (5, False)
    gradient = right[r"\frac{\partial L}{\partial W_{h}^{(1)}}"]
    assert gradient.startswith(r"\sum_{n,t} ") and "t-1" in gradient


def test_without_a_loss_its_gradient_is_given():
    shown = explain.math(nn.Linear(3, 2), torch.zeros(4, 3))
    assert [g.role for g in shown.symbols][-1] == "given"
    assert shown.gradient("weight").right.startswith(r"\sum_{n}")


def test_every_sentence_is_chinese_too():
    assert not set(TEXTS) - CHINESE.keys()
    model = nn.Linear(3, 2)
    text = str(explain.math(model, torch.zeros(4, 3), torch.zeros(4, 2), nn.MSELoss(), lang="zh"))
    assert "前向传播" in text and "反向传播" in text and "约定" in text
    with pytest.raises(ValueError, match="lang"):
        explain.math(model, torch.zeros(4, 3), lang="fr")


def test_a_page_fetches_nothing_and_has_formulas(tmp_path):
    shown = mlp()
    page = shown.html("zh")
    assert (
        page.startswith("<!doctype html>")
        and "<math" in page
        and "http://" not in page.replace("http://www.w3.org", "")
    )
    assert "<math" in shown._repr_html_()
    assert (tmp_path / "m.txt").exists() is False
    shown.save(tmp_path / "m.txt")
    assert (tmp_path / "m.txt").read_text() == str(shown)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("make", [mlp, encoder, recurrent])
def test_the_tex_document_compiles(make, tmp_path):
    make().save(tmp_path / "m.tex")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "m.tex"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]


def test_long_equations_are_broken_outside_of_brackets():
    term = r"\left(a + b\right) x_{1}"
    lines = broken(" + ".join([term] * 30), width=60)
    assert len(lines) > 3 and all(line.count("(") == line.count(")") for line in lines)
    assert " ".join(lines).replace("  ", " ") == " + ".join([term] * 30)


W = torch.zeros(2)
RULES = {
    "SGD": (lambda p: torch.optim.SGD(p, 0.1), [(r"\theta'", r"\theta - \eta g")]),
    "momentum": (
        lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
        [("b'", r"\mu b + g"), (r"\theta'", r"\theta - \eta b'")],
    ),
    "Adam": (
        lambda p: torch.optim.Adam(p),
        [
            (r"\eta_{t}", r"\frac{\eta}{1 - \beta_{1}^{t}}"),
            ("m'", r"m + (1 - \beta_{1})(g - m)"),
            ("v'", r"\beta_{2} v + (1 - \beta_{2}) g^{2}"),
            (r"\theta'", r"\theta - \frac{\eta_{t} m'}{\frac{\sqrt{v'}}{\sqrt{1 - \beta_{2}^{t}}}"
             r" + \epsilon}"),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_an_optimiser_prints_its_rule(name):
    make, lines = RULES[name]
    shown = explain.math(make([nn.Parameter(torch.zeros(2))]))
    assert list(shown.rule.lines) == lines
    assert "10^" not in str(shown)
    assert "θ'" in str(shown) and r"\theta'" in shown.tex and "<math" in shown.html()


@pytest.mark.parametrize("name", [n for n in torch.optim.__dict__ if n in {
    "SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "ASGD",
    "Rprop", "Adafactor"}])  # fmt: skip
def test_every_optimiser_has_a_rule_for_its_parameter(name):
    p = nn.Parameter(torch.ones(2, 2))
    rule = explain.math(getattr(torch.optim, name)([p])).rule
    assert rule.lines[-1][0] == r"\theta'" and (p == 1).all() and p.grad is None


@pytest.mark.parametrize(
    "name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "Nadam", "Lion"]
)
def test_keras_optimisers_too(name):
    rule = explain.math(getattr(keras.optimizers, name)()).rule
    assert rule.lines[-1][0] == r"\theta'" and r"\theta" in rule.lines[-1][1]


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"\sum_{n,t} \delta^{(1)}_{n}", "Σₙₜ δ⁽¹⁾ₙ"),
        (r"\frac{a + b}{c}", "(a + b)/c"),
        (r"\sqrt{x}", "√x"),
        (r"\hat{x}^{(1)}", "x̂⁽¹⁾"),
        (r"W^{(k,2)} h^{(k-1)}", "W⁽ᵏʼ²⁾ h⁽ᵏ⁻¹⁾"),
        (r"\operatorname{softmax}\left(\frac{Q K^{T}}{\sqrt{d}}\right) V", "softmax(Q Kᵀ/√d) V"),
    ],
)
def test_formulas_can_be_read_in_a_terminal(tex, text):
    assert unicode(tex) == text


def test_every_line_becomes_mathml():
    assert all("<math" in mathml(line.right) for line in encoder(1).lines)


def test_a_part_of_the_data_is_data():
    model, x, y = nn.Linear(3, 2), torch.ones(6, 3), torch.zeros(6, dtype=torch.int64)
    shown = explain.math(model, x[:2], y[2:4], nn.CrossEntropyLoss())
    assert [s.tex for s in shown.symbols][:2] == ["x", "y"]
    steps = explain.backprop(model, x[:1], y[:1], loss=nn.CrossEntropyLoss())
    assert steps.ok and "x W" in str(steps).replace("  ", " ")


def test_an_image_of_one_place_that_is_spread_prints():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    assert "AdaptiveAvgPool2d" in str(explain.math(model, torch.ones(1, 1, 3, 3)))
