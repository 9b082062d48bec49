"""`chainrule report`: what a training did, on one page."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from chainrule.cli import run as runs
from chainrule.cli.output import REPORT, Output


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language."
)
@click.option("--output", type=click.Path(path_type=Path), help=f"The file. [RUN/{REPORT}]")
@click.option("--open", "show", is_flag=True, help="Show it in a browser.")
def report(run: Path, lang: str, output: Path | None, show: bool) -> int:
    """Write a report of RUN, a folder of `chainrule train`: one HTML file that needs nothing else.

    The curves, how well it does on unseen data, where it errs most and why, the network, its
    mathematics, and what one needs to do it again. Parts that cannot be made are named.
    """
    found = runs.read(run)
    file = output if output is not None else run / REPORT
    made = runs.report(found, lang)
    text = made.html()
    path = Output(file.parent).text(file.name, text)
    click.echo(f"{path}" + _told(made.left_out))
    if show:
        webbrowser.open(path.resolve().as_uri())
    return 0


def _told(left_out: dict[str, str]) -> str:
    return "".join(f"\n  left out: {part}: {why}" for part, why in left_out.items())
