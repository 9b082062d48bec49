"""What a training left in its folder, read back, and the report that is made of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import chainrule
from chainrule import models, nn, optim
from chainrule.cli.data import CHOICES, Data, is_here
from chainrule.cli.output import MODEL, PARTS
from chainrule.datasets.symbolic import IGNORED
from chainrule.errors import ChainruleError, DataError
from chainrule.training import provenance


@dataclass(frozen=True)
class Run:
    """A training that was kept: its network, its history, and what is known about it."""

    folder: Path
    model: nn.Module
    history: dict[str, list[float]]
    about: dict[str, Any]


def read(folder: Path) -> Run:
    """The run in a folder of `chainrule train`. DataError says what is missing or damaged."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise DataError(f"{folder} {what}; give the folder that `chainrule train` made")
    here = [name for name in PARTS if (folder / name).is_file()]
    if not here:
        raise DataError(
            f"{folder} is no folder of `chainrule train`: it has none of {', '.join(PARTS)}"
        )
    missing = [name for name in PARTS if name not in here]
    if missing:
        raise DataError(
            f"{folder} is incomplete: no {', '.join(missing)}. A training writes it after every "
            "epoch whose loss is a number; train again"
        )
    history = _read_json(folder / "history.json")
    columns = {name: v for name, v in history.items() if isinstance(v, list)}
    if "loss" not in columns or len({len(v) for v in columns.values()}) != 1:
        raise DataError(f"{folder / 'history.json'} is no history: lists of equal length by name")
    about = _read_json(folder / "metrics.json")
    if not {"model", "data", "seed"} <= about.keys():
        lacks = sorted({"model", "data", "seed"} - about.keys())
        raise DataError(f"{folder / 'metrics.json'} is not of `chainrule train`: no {lacks[0]!r}")
    try:
        model = models.load(folder / MODEL)
    except (ChainruleError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise DataError(f"{folder / MODEL} is damaged: {error}") from error
    return Run(folder, model, columns, about)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} is damaged: a {type(content).__name__}, not names with values")
    return content


def load(run: Run, lang: str = "en") -> tuple[Data | None, dict[str, str]]:
    """The data of a run as far as they are here, and which parts lack them, with the reason."""
    about, say = run.about, chainrule.explain.pages.words.words(lang)
    name, choices = about["data"], CHOICES.get(about["model"], {})
    parts = ("How well it does", "Where it errs most")
    if name not in choices:
        reason = say("this version knows no data set {name}").format(name=name)
        return None, dict.fromkeys(parts, reason)
    if not is_here(name):
        reason = say("the data set {name} is not on this machine; set CHAINRULE_DATA to its folder")
        return None, dict.fromkeys(parts, reason.format(name=name))
    try:
        data = choices[name]().limited(about.get("limit"))
    except DataError as error:
        return None, dict.fromkeys(parts, str(error))
    return data, {}


def report(run: Run, lang: str, data: Data | None = None) -> Any:
    """The report of a run (`chainrule.explain.Report`). `data` if they are at hand already."""
    missing: dict[str, str] = {}
    if data is None:
        data, missing = load(run, lang)
    about = dict(run.about)
    digests = about.get("sha256") or {}
    if data is not None and digests:
        found = fingerprints(data)
        changed = [part for part in found if found[part] != digests.get(part, found[part])]
        if changed:
            say = chainrule.explain.pages.words.words(lang)
            missing["data"] = say(
                "the data here are not those of the training, their SHA-256 is another one: the "
                "numbers on this page are measured on those that are here"
            )
    return chainrule.explain.report(
        run.model,
        test=None if data is None else data.test,
        train=None if data is None else data.train,
        sample=None if data is not None else _sample(about),
        history=run.history,
        loss=nn.CrossEntropyLoss(ignore_index=IGNORED),
        optimizer=_optimizer(run),
        classes=data.names if data is not None else None,
        tokens=(data.tokens or None) if data is not None else None,
        title=f"{about['model']} · {about['data']}",
        facts=about | {"seconds": _total(run.history, about)},
        missing=missing,
        lang=lang,
    )


def surroundings(data: Data) -> dict[str, Any]:
    """What has a say in the numbers, besides the settings: data, versions, machine."""
    return {
        "sha256": fingerprints(data),
        "versions": provenance.versions(),
        "machine": provenance.this_machine(),
    }


def fingerprints(data: Data) -> dict[str, str]:
    """SHA-256 of the arrays that are trained and tested on."""
    return {
        "training": provenance.fingerprint(data.train),
        "test": provenance.fingerprint(data.test),
    }


def _optimizer(run: Run) -> optim.Optimizer | None:
    """The optimiser of the training, new: for its rule."""
    kind = getattr(optim, str(run.about.get("optimizer")), None)
    lr = run.about.get("lr")
    return None if kind is None or lr is None else kind(run.model.parameters(), lr=lr)


def _total(history: Mapping[str, list[float]], about: Mapping[str, Any]) -> float | None:
    told = about.get("seconds")
    if isinstance(told, int | float) and math.isfinite(told):
        return float(told)
    seconds = history.get("seconds")
    return float(sum(seconds)) if seconds else None


def _sample(about: Mapping[str, Any]) -> np.ndarray | None:
    """A batch of zeros of the kind that the network takes."""
    shape, dtype = about.get("input_shape"), about.get("input_dtype")
    return None if shape is None or dtype is None else np.zeros((32, *shape), np.dtype(dtype))
