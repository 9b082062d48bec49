"""The page of explain.backprop: self-contained, complete without scripts, in both languages."""

from __future__ import annotations

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import chainrule as torch
from chainrule import explain
from chainrule.explain.pages.words import LANGUAGES

nn = torch.nn
_VOID = {"meta", "input", "br", "rect", "path", "img"}


class Read(HTMLParser):
    """Checks that tags nest; collects sections, ids, and what would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.steps = 0
        self.fetched: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._seen(dict(attrs))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._seen(dict(attrs))

    def _seen(self, attrs: dict[str, str | None]) -> None:
        self.ids += [v for k, v in attrs.items() if k == "id" and v]
        self.steps += "step" in (attrs.get("class") or "").split()
        links = (attrs.get("src"), attrs.get("href"))
        self.fetched += [v for v in links if v and not v.startswith("#")]

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def found() -> explain.Backprop:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    x = torch.tensor([[0.5, 1.0], [0.0, 0.0]])
    model[0].bias.data.zero_()  # at a kink
    return explain.backprop(model, x, torch.ones(2, 1), loss=nn.MSELoss())


def _read(text: str) -> Read:
    reader = Read()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_has_every_line_and_fetches_nothing(found: explain.Backprop, lang: str) -> None:
    text = found.html(lang)
    assert "http" not in text
    page = _read(text)
    assert page.fetched == []
    assert page.steps == len(found.forward) + len(found.backward)
    assert len(page.ids) == len(set(page.ids))
    told = "".join(page.text)
    for b in found.backward:
        if b.value.size == 1:
            assert f"{float(b.value.reshape(())):.4g}".lstrip("-") in told
    assert "chainrule/ops/activations.py" in told
    assert "where(gt(y, 0), g, zeros_like(g))" in told
    assert "test_backprop_page.py" in told  # the user's line
    assert ("尖点" if lang == "zh" else "kink") in told


class Wrong(torch.autograd.Function):
    """e^x with three times its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x.exp()

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        return 3 * g * x.exp()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_whatever_a_line_says_is_said_in_both_languages(lang: str) -> None:
    w = torch.tensor([0.5, 0.25], requires_grad=True)
    zero = torch.zeros(2, requires_grad=True)
    programs: list[tuple[Any, set[str]]] = [
        (lambda x: Wrong.apply(w * x).sum(), {"agrees", "wrong", "follows"}),
        (lambda x: (torch.relu(zero) - torch.relu(-zero)).sum(), {"agrees", "kink", "follows"}),
        (lambda x: zero.sqrt().sum(), {"agrees", "none"}),
    ]
    for program, statuses in programs:
        shown = explain.backprop(program, torch.ones(2), lang=lang)
        assert {b.status for b in shown.backward} == statuses
        _read(shown.html())
        assert str(shown)
        assert shown._repr_html_()


def test_a_notebook_gets_both_passes(found: explain.Backprop) -> None:
    text = found._repr_html_()
    reader = _read(text)
    assert "script" not in text
    assert "Forward pass" in "".join(reader.text)


def test_the_table_fits_the_terminal(
    found: explain.Backprop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for width in (60, 100, 160):
        monkeypatch.setenv("COLUMNS", str(width))
        text = str(found)
        assert max(map(len, text.splitlines())) <= width
        assert "✓" in text


def test_saving_writes_the_page(found: explain.Backprop, tmp_path: Path) -> None:
    path = found.save(tmp_path / "page.html", lang="zh")
    text = path.read_text(encoding="utf-8")
    assert text == found.html("zh")
    assert '<html lang="zh-CN">' in text


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
@pytest.mark.parametrize("size", ["1280,900", "390,844"])
def test_a_browser_steps_through_it(found: explain.Backprop, tmp_path: Path, size: str) -> None:
    page = found.save(tmp_path / "page.html")
    step = len(found.forward) + 3

    def run(*options: str) -> Any:
        return subprocess.run(
            [
                "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={size}", *options,
                f"{page.as_uri()}#{step}",
            ],
            capture_output=True, check=True, timeout=60,
        ).stdout  # fmt: skip

    now = run("--dump-dom").decode()
    assert f"{step} / {len(found.forward) + len(found.backward)}" in now
    assert now.count('class="step backward now"') == 1
    picture = tmp_path / "page.png"
    run(f"--screenshot={picture}")
    assert picture.stat().st_size > 10_000
