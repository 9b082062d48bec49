"""Pages: nothing is fetched, everything can be read in both schemes, nothing runs over the edge."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import chainrule as torch
from chainrule import explain, models
from chainrule.explain.pages.chinese_report import REPORT
from chainrule.explain.pages.page import _STYLE, page
from chainrule.explain.pages.words import CHINESE, words
from chainrule.explain.reporting.style import STYLE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FETCHED = re.compile(
    r"""(?:src|data|poster|srcset)\s*=\s*["']?(?!data:)[a-z/.]*:?//"""
    r"""|<link\b|<iframe|@import|url\(\s*["']?(?!#|data:)|href\s*=\s*["']?https?:""",
    re.IGNORECASE,
)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def schemes() -> list[dict[str, str]]:
    """The colours of the light and of the dark page."""
    light, dark = {}, {}
    for style in (_STYLE, STYLE):
        before_print = style.partition("@media print")[0]
        first, _, second = before_print.partition("@media (prefers-color-scheme: dark)")
        light |= dict(re.findall(r"--(\w+): (#[0-9a-f]{6}|\d+%)", first))
        dark |= dict(re.findall(r"--(\w+): (#[0-9a-f]{6}|\d+%)", second))
    assert light.keys() == dark.keys()
    return [light, dark]


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark"])
def test_text_can_be_read_in_every_colour(scheme):
    for text in ("ink", "muted", "accent", "good", "bad", "second"):
        for ground in ("paper", "code"):
            assert contrast(scheme[text], scheme[ground]) >= 4.5, (text, ground)


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark"])
@pytest.mark.parametrize("kind", ["accent", "bad"])
def test_the_fullest_cell_of_a_confusion_matrix_can_be_read(scheme, kind):
    share = int(scheme["most"].rstrip("%")) / 100
    mixed = [
        round(
            share * int(scheme[kind][i : i + 2], 16)
            + (1 - share) * int(scheme["code"][i : i + 2], 16)
        )
        for i in (1, 3, 5)
    ]
    assert contrast(scheme["ink"], "#" + "".join(f"{c:02x}" for c in mixed)) >= 4.5


def test_a_page_says_its_language_and_lists_its_contents():
    text = page("T", "<h2 id='a'>A</h2>", lang="zh", contents=[("a", "一")])
    assert '<html lang="zh-CN">' in text and '<a href="#a">一</a>' in text and "目录" in text
    assert not FETCHED.search(text)


def test_every_english_text_of_reports_is_chinese_too():
    """What the code of drawings and reports says is in the table, with the same places to fill."""
    root = Path(explain.__file__).parent
    files = [*sorted((root / "reporting").glob("*.py")), root / "drawing" / "model.py"]
    asked = set()
    for file in files:
        for first, rest in re.findall(
            r'say\(\s*"((?:[^"\\]|\\.)*)"((?:\s*"[^"]*")*)', file.read_text()
        ):
            asked.add(first + "".join(re.findall(r'"([^"]*)"', rest)))
    assert len(asked) > 25
    assert not asked - CHINESE.keys()
    for english, chinese in REPORT.items():
        places = r"\{(\w+)\}"
        assert sorted(re.findall(places, english)) == sorted(re.findall(places, chinese)), english
    with pytest.raises(KeyError):
        words("zh")("nobody says this")


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH")
@pytest.mark.parametrize("width", [390, 1280])
def test_a_drawing_stays_within_the_page(width, tmp_path):
    d = explain.draw(models.DCNN((1, 8, 8)), torch.zeros(2, 1, 8, 8))
    assert scroll_width(d.html(), width, tmp_path) <= width


def scroll_width(text: str, width: int, folder: Path) -> int:
    """How wide the page is in a window of this width, from a browser; no complaint on its console.

    A headless window is never narrower than 500 pixels: the page stands in a frame of that width.
    """
    assert not FETCHED.search(text)
    (folder / "page.html").write_text(text)
    (folder / "frame.html").write_text(
        f'<iframe id="f" src="page.html" style="border:0;width:{width}px;height:900px"></iframe>'
        "<script>onload = () => { const d = document.getElementById('f').contentDocument;"
        "document.title = 'width ' + d.documentElement.scrollWidth; }</script>"
    )
    told = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--allow-file-access-from-files", f"--user-data-dir={folder / 'profile'}",
            "--window-size=1400,1000", "--virtual-time-budget=3000", "--enable-logging=stderr",
            "--dump-dom", (folder / "frame.html").as_uri(),
        ],
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert "CONSOLE" not in told.stderr
    found = re.search(r"<title>width (\d+)</title>", told.stdout)
    assert found, told.stdout[:500] + told.stderr[-500:]
    return int(found[1])


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH")
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_report_stays_within_a_telephone_and_complains_of_nothing(lang, tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 1, 8, 8)).astype(np.float32), rng.integers(0, 12, 40)
    names = [f"a class with a long name {i}" for i in range(12)]
    history = {"loss": [1.0, 0.5], "val_loss": [1.0, 0.7]}
    facts = {"command": "chainrule train " + "x" * 90, "seconds": 1.0}
    model = models.MLP((8, 8), classes=12)
    r = explain.report(
        model, test=(x, y), history=history, classes=names, facts=facts, title="A" * 60,
        loss=torch.nn.CrossEntropyLoss(), optimizer=torch.optim.Adam(model.parameters()),
        lang=lang,
    )  # fmt: skip
    assert scroll_width(r.html(), 390, tmp_path) <= 390
    assert not r.left_out
