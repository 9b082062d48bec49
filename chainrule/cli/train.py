"""`chainrule train`: one of the documents' networks on real data, kept with its history."""

from __future__ import annotations

import math
import shlex
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.console import Console

from chainrule import compiler, models, nn, optim
from chainrule._version import __version__
from chainrule.cli import data as data_sets
from chainrule.cli import run as runs
from chainrule.cli.data import CHOICES, Data, Part
from chainrule.cli.output import REPORT, Output, OutputError
from chainrule.datasets.symbolic import IGNORED
from chainrule.errors import ChainruleError
from chainrule.runtime import machine, programs
from chainrule.runtime.random import manual_seed
from chainrule.tensor import Tensor, no_grad
from chainrule.training import (
    Callback,
    CallbackList,
    History,
    ProgbarLogger,
    RunningMean,
    Steps,
    as_batches,
    evaluate,
    run,
)

DIVERGED = 5


@dataclass(frozen=True)
class Settings:
    """What a user may leave out."""

    epochs: int
    batch_size: int
    lr: float
    optimizer: str


#: Network → its settings, the documents'; below, (network, data set) → settings for that data set.
OWN = {
    "mlp": Settings(10, 128, 0.001, "Adam"),
    "dcnn": Settings(10, 64, 0.01, "SGD"),
    "rnn": Settings(10, 32, 0.01, "Adam"),
    "transformer": Settings(10, 64, 0.003, "Adam"),
}
SETTINGS = {
    ("mlp", "digits"): Settings(20, 32, 0.001, "Adam"),
    ("dcnn", "digits"): Settings(20, 16, 0.1, "SGD"),
    ("rnn", "digits"): Settings(15, 32, 0.005, "Adam"),
    ("rnn", "sonar"): Settings(15, 16, 0.005, "Adam"),
    ("transformer", "shakespeare"): Settings(3, 64, 0.003, "Adam"),
}


_EPILOG = "\n".join(
    [
        "\b",  # click: keep these lines as they are
        "Data sets; the first of each needs no download:",
        *(f"  {model:12} {', '.join(sets)}" for model, sets in CHOICES.items()),
        "",
        "\b",
        "Exit codes: 0 done, 2 wrong command line, 3 data missing, 4 output folder not writable,",
        "5 the loss is no number any more, 130 Ctrl-C, 143 asked to end.",
    ]
)

#: What "auto" says of its choice.
_FOUND = {
    "mnist": "MNIST is here: 60,000 handwritten digits of 28 × 28 pixels",
    "digits": "MNIST is not here (set CHAINRULE_DATA to its folder): the UCI handwritten digits, "
    "8 × 8 pixels, from inside the package",
}


@click.command(epilog=_EPILOG)
@click.argument("model", type=click.Choice(list(CHOICES)))
@click.option("--data", metavar="NAME", help="Data set; 'auto': MNIST if at hand, else digits.")
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the training data.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Rows in one step.")
@click.option("--lr", type=click.FloatRange(min=0, min_open=True), help="Learning rate.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all random numbers.")
@click.option("--limit", type=click.IntRange(min=1), help="Use at most this many rows.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Folder for what is kept. [runs/MODEL-DATA]"
)
@click.option("--report/--no-report", default=True, help="Write a report.html into the folder.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def train(
    model: str,
    data: str | None,
    epochs: int | None,
    batch_size: int | None,
    lr: float | None,
    seed: int,
    limit: int | None,
    output: Path | None,
    report: bool,
    quiet: bool,
) -> int:
    """Train MODEL on real data, and save it with its history and a report.

    Ctrl-C ends the training after the step it is in; model and history so far are kept.
    """
    name = _data_name(model, data)
    own = SETTINGS.get((model, name), OWN[model])
    settings = Settings(
        epochs or own.epochs, batch_size or own.batch_size, lr or own.lr, own.optimizer
    )
    console = Console(quiet=quiet, highlight=False)
    if data == "auto":
        console.print(_FOUND[name], soft_wrap=True)
    loaded = CHOICES[model][name]().limited(limit)
    folder = Output(output) if output is not None else Output.fresh(Path("runs"), f"{model}-{name}")
    manual_seed(seed)
    training = Training(model, _arguments(model, loaded), settings)
    parameters = sum(p.numel() for p in training.model.parameters())
    console.print(
        f"{model} with {parameters:,} parameters on {name}: {len(loaded.train[0]):,} rows to "
        f"train, {len(loaded.test[0]):,} to test; {settings.optimizer}, "
        f"learning rate {settings.lr:g}, batches of {settings.batch_size}, seed {seed}",
        soft_wrap=True,
    )
    about = {
        "model": model,
        "data": name,
        "seed": seed,
        "parameters": parameters,
        "chainrule": __version__,
        "optimizer": settings.optimizer,
        "lr": settings.lr,
        "batch_size": settings.batch_size,
        "limit": limit,
        "train_rows": len(loaded.train[0]),
        "test_rows": len(loaded.test[0]),
        "input_shape": list(loaded.train[0].shape[1:]),
        "input_dtype": str(loaded.train[0].dtype),
        "command": _command(model, name, settings, seed, limit),
        **runs.surroundings(loaded),
    }
    result = training.fit(loaded, folder, console, about)
    _say(console, result, folder)
    if training.signal is not None:
        console.print(f"{_again(folder)} writes a report of it", soft_wrap=True)
        return 128 + training.signal
    if report:
        _report(folder, loaded, console)
    return DIVERGED if result["diverged"] else 0


def _command(model: str, data: str, settings: Settings, seed: int, limit: int | None) -> str:
    """What trains the same network again, with nothing left to defaults."""
    words = ["chainrule", "train", model, "--data", data, "--epochs", str(settings.epochs)]
    words += ["--batch-size", str(settings.batch_size), "--lr", f"{settings.lr:g}"]
    words += ["--seed", str(seed)] + ([] if limit is None else ["--limit", str(limit)])
    return shlex.join(words)


def _again(folder: Output) -> str:
    return f"chainrule report {shlex.quote(str(folder.folder))}"


def _report(folder: Output, data: Data, console: Console) -> None:
    """The report of what was just trained. Its results are kept, whatever happens here."""
    again = _again(folder)
    try:
        made = runs.report(runs.read(folder.folder), "en", data)
        path = folder.text(REPORT, made.html())
    except OutputError as error:
        raise OutputError(f"{error}. Model and history are kept; {again} writes the report") from (
            error
        )
    except ChainruleError as error:  # no model was kept, or what else a report lacks
        console.print(f"no report: {error}", soft_wrap=True)
        return
    except KeyboardInterrupt:
        console.print(f"no report; {again} writes it", soft_wrap=True)
        raise
    console.print(f"report: {path}", soft_wrap=True)


def _data_name(model: str, data: str | None) -> str:
    choices = CHOICES[model]
    if data is None:
        return next(iter(choices))
    name = data_sets.auto() if data == "auto" else data
    if name not in choices:
        raise click.BadParameter(
            f"{data!r} is none of {', '.join(choices)} (for {model})", param_hint="--data"
        )
    return name


def _arguments(model: str, data: Data) -> dict[str, Any]:
    """What builds the network for these data, as plain values that a file can keep."""
    shape = list(data.train[0].shape[1:])
    if model in ("mlp", "dcnn"):
        return {"input_shape": shape, "classes": data.classes}
    if model == "rnn":
        return {
            "input_size": shape[1],
            "hidden_size": 50,
            "num_layers": 2,
            "num_classes": data.classes,
        }
    return {"input_size": data.classes, "hidden_size": 50, "num_heads": 2, "max_length": shape[0]}


def _say(console: Console, report: Mapping[str, Any], folder: Output) -> None:
    if report["diverged"]:
        console.print("[red]diverged[/]: the loss is no number any more; try a smaller --lr")
    elif report["interrupted"]:
        console.print(f"stopped in epoch {report['epochs']}")
    tested = ", ".join(f"{name} {report[f'test_{name}']:.4f}" for name in ("loss", "accuracy")
                       if f"test_{name}" in report)  # fmt: skip
    if tested:
        console.print(f"test: {tested}", soft_wrap=True)
    console.print(
        f"saved in {folder.folder} ({report['seconds']:.1f} s of training)", soft_wrap=True
    )


class Training:
    """A network with its optimiser, loss and running metrics.

    `stop_training` ends the run after the step in progress: signals and callbacks set it.
    """

    def __init__(self, name: str, arguments: dict[str, Any], settings: Settings) -> None:
        self.name = name
        self.arguments = arguments
        self.settings = settings
        self.model: nn.Module = models.MODELS[name](**arguments)
        self.criterion = nn.CrossEntropyLoss(ignore_index=IGNORED)
        self.optimizer = getattr(optim, settings.optimizer)(self.model.parameters(), lr=settings.lr)
        self.means = {metric: RunningMean(metric) for metric in ("loss", "accuracy")}
        self.stop_training = False
        self.steps = 0
        self.signal: int | None = None
        self.history: Any = None  # set by the History callback

    def fit(
        self, data: Data, folder: Output, console: Console, about: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Train, keep model, history and what is known `about` the run after every epoch."""
        batches = as_batches(*data.train, batch_size=self.settings.batch_size, shuffle=True)
        keep = _Keep(self, folder, about)
        progress = ProgbarLogger()
        callbacks = CallbackList(
            [History(), keep, progress],
            model=self,
            epochs=self.settings.epochs,
            steps=batches.steps,
            verbose=0 if console.quiet else 1,
        )
        began = time.perf_counter()
        with self._signals(console):
            run(
                Steps(self._train, self._results, self._reset),
                batches,
                callbacks,
                epochs=self.settings.epochs,
                validate=lambda: self._test(
                    data.test, CallbackList([progress], model=self, **callbacks.params)
                ),
                validates_at=lambda epoch: self.signal is None,
            )
        seconds = time.perf_counter() - began
        result = keep.result() | {
            "interrupted": self.signal is not None,
            "seconds": seconds,
            "peak_memory": machine.peak_memory(),
            "peak_flops": compiler.peak().flops,
            "programs": programs.count(),
            "finished": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        }
        folder.json("metrics", result)
        return result

    def _train(self, batch: Any) -> None:
        self.steps += 1
        self.model.train()
        self.optimizer.zero_grad()
        loss = self._measured(batch)
        loss.backward()
        self.optimizer.step()

    def _test(self, part: Part, callbacks: CallbackList) -> dict[str, float]:
        self.model.eval()
        batches = as_batches(*part, batch_size=1000)
        with no_grad():
            return evaluate(Steps(self._check, self._results, self._reset), batches, callbacks)

    def _check(self, batch: Any) -> None:
        self._measured(batch)

    def _measured(self, batch: Any) -> Tensor:
        """The loss; loss and accuracy are counted in passing, in the same program."""
        x, y, _ = batch
        scores = self.model(x)  # (n, classes) or (n, classes, steps)
        loss = self.criterion(scores, y)
        with no_grad():
            asked = y != IGNORED
            count = asked.float().sum()
            right = ((scores.argmax(1) == y) & asked).float().sum()
            self.means["loss"].update(loss, count)
            self.means["accuracy"].update(right / count, count)
        return loss

    def _results(self, returned: Any) -> dict[str, float]:
        return {name: mean.result() for name, mean in self.means.items()}

    def _reset(self) -> None:
        for mean in self.means.values():
            mean.reset()

    @contextmanager
    def _signals(self, console: Console) -> Iterator[None]:
        """Ctrl-C, or a request to end, stops the run after a step; a second one at once."""

        def ask(number: int, frame: FrameType | None) -> None:
            if self.signal is not None:
                raise KeyboardInterrupt
            self.signal = number
            self.stop_training = True

        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Keep(Callback):
    """Keeps model, history and what is known of the run after every epoch: also of one that is
    killed there is a report. A loss that is no number ends the run.
    """

    def __init__(self, training: Training, folder: Output, about: Mapping[str, Any]) -> None:
        super().__init__()
        self.training = training
        self.folder = folder
        self.about = about
        self.diverged = False
        self.seconds: list[float] = []
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self._began = time.perf_counter()

    def result(self) -> dict[str, Any]:
        """What is known of the run so far."""
        history = self.training.history.history
        last = {
            f"test_{n[4:]}": values[-1] for n, values in history.items() if n.startswith("val_")
        }
        return {
            **self.about,
            **last,
            "loss": history["loss"][-1],
            "epochs": len(history["loss"]),
            "steps": self.training.steps,
            "interrupted": True,
            "diverged": self.diverged,
            "seconds": sum(self.seconds),
        }

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.seconds.append(time.perf_counter() - self._began)
        history = self.training.history.history
        self.folder.json(
            "history", {"epoch": list(range(1, epoch + 2)), "seconds": self.seconds, **history}
        )
        if not math.isfinite((logs or {}).get("loss", 0.0)):
            self.diverged = self.training.stop_training = True
        else:  # else the last model whose loss was a number stays
            self.folder.model(self.training.model, self.training.name, self.training.arguments)
        self.folder.json("metrics", self.result())
