"""`torch.hub`: pretrained weights from an address, and models by the name of their repository.

    address    https://…/resnet18-f37072fd.pth
    kept at    get_dir()/checkpoints/resnet18-f37072fd.pth      PyTorch's place: files that PyTorch
                                                                downloaded are found, and vice versa
    checked    the eight or more hexadecimal digits before the suffix begin the file's SHA-256

Of files only values are read (`chainrule.load` with `weights_only=True`); no code of theirs is run.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlparse

from chainrule._version import __version__
from chainrule.datasets.fetch import terminal
from chainrule.errors import DataError
from chainrule.io.files import atomic
from chainrule.serialization import load as load_file

__all__ = [
    "download_url_to_file",
    "get_dir",
    "help",
    "list",
    "load",
    "load_state_dict_from_url",
    "set_dir",
]

#: The digits of the checksum in a file's name: `name-<digits>.suffix`.
HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")
CHUNK = 1 << 16  # bytes
TIMEOUT = 30.0  # seconds without a single byte

#: Repositories whose models we have: no code of theirs is needed. They are found by name, since
#: the room of the models lies above this one.
PROVIDERS = {"pytorch/vision": "chainrule.vision.models"}

_dir: str | None = None


def _get_torch_home() -> str:
    """PyTorch's cache folder: TORCH_HOME, or `torch` in XDG_CACHE_HOME (default `~/.cache`)."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return os.path.expanduser(os.environ.get("TORCH_HOME", os.path.join(cache, "torch")))


def get_dir() -> str:
    """The folder of hub files: what `set_dir` set, or `$TORCH_HOME/hub`."""
    return _dir if _dir is not None else os.path.join(_get_torch_home(), "hub")


def set_dir(d: str | os.PathLike[str]) -> None:
    """Keep hub files in the folder `d` from now on (in this process)."""
    global _dir
    _dir = os.path.expanduser(d)


# ---- files -----------------------------------------------------------------------------------


def download_url_to_file(
    url: str, dst: str | os.PathLike[str], hash_prefix: str | None = None, progress: bool = True
) -> None:
    """Download `url` to the path `dst`, which appears whole and checked, or not at all.

    hash_prefix: how the SHA-256 of the file must begin (hexadecimal). progress: a bar on standard
    error, where that is a terminal.

    Raises RuntimeError for another checksum; DataError (a RuntimeError) where the address cannot be
    reached or the file cannot be written, with what to do.
    """
    target = Path(dst).expanduser()
    digest = hashlib.sha256()
    try:
        with atomic(target) as file:
            for block in _received(url, target, progress):
                digest.update(block)
                file.write(block)
            found = digest.hexdigest()
            if hash_prefix is not None and not found.startswith(hash_prefix):
                raise DataError(
                    f'invalid hash value (expected "{hash_prefix}", got "{found}") of {url}: the '
                    "file was changed on its way, or the address serves something else; try again"
                )
    except OSError as error:
        raise DataError(
            f"{target} cannot be written: {error.strerror or error}. Make room, make its folder "
            "writable, or choose another with chainrule.hub.set_dir(folder)"
        ) from error


def _received(url: str, target: Path, progress: bool) -> Iterator[bytes]:
    """The body of `url` in blocks; a fault of the network becomes a DataError with advice."""
    import urllib.request  # 40 ms that only a download needs

    request = urllib.request.Request(url, headers={"User-Agent": f"chainrule/{__version__}"})
    received = 0
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            size = response.headers.get("Content-Length")
            total = int(size) if size is not None else None
            with _Bar(target.name, total, progress) as bar:
                while block := response.read(CHUNK):
                    received += len(block)
                    bar.advance(len(block))
                    yield block
    except HTTPError as error:
        error.close()
        raise DataError(_advice(url, target, f"HTTP {error.code} {error.reason}")) from error
    except URLError as error:
        raise DataError(_advice(url, target, str(error.reason))) from error
    except (TimeoutError, ConnectionError, HTTPException, ValueError) as error:
        raise DataError(_advice(url, target, f"{type(error).__name__}: {error}")) from error
    if total is not None and received < total:
        broken = f"it broke off after {received:,} of {total:,} bytes"
        raise DataError(_advice(url, target, broken))


def _advice(url: str, target: Path, reason: str) -> str:
    return (
        f"{url} could not be downloaded ({reason}).\nTo go on without a network, bring the file "
        f"from a machine that has one and put it at\n  {target}\n(chainrule.hub.set_dir or the "
        "variable TORCH_HOME choose another folder)."
    )


class _Bar:
    """How far a download is, on standard error where somebody looks at it."""

    def __init__(self, name: str, total: int | None, wanted: bool) -> None:
        console = terminal() if wanted else None
        self.bar: Any = None
        if console is not None:
            from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

            columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
            self.bar = Progress(*columns, console=console, transient=True)
            self.task = self.bar.add_task(name, total=total)

    def __enter__(self) -> _Bar:
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(self, *_: Any) -> None:
        if self.bar is not None:
            self.bar.stop()

    def advance(self, count: int) -> None:
        if self.bar is not None:
            self.bar.advance(self.task, count)


def load_state_dict_from_url(
    url: str,
    model_dir: str | os.PathLike[str] | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = False,
) -> dict[str, Any]:
    """The value in the file at `url`, downloaded unless it lies in `model_dir` already.

    model_dir: `get_dir()/checkpoints` by default. check_hash: the name must be `name-<digits>.ext`,
    and the file's SHA-256 begin with the digits (of a download; a file that is there is trusted).
    map_location: as in `chainrule.load`. weights_only: accepted; only values are read in any case,
    since the file comes from elsewhere.
    """
    folder = Path(model_dir) if model_dir is not None else Path(get_dir()) / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    name = file_name if file_name is not None else os.path.basename(urlparse(url).path)
    path = folder / name
    if not path.exists():
        digits = HASH_REGEX.search(name) if check_hash else None
        sys.stderr.write(f'Downloading: "{url}" to {path}\n')
        download_url_to_file(url, path, digits.group(1) if digits else None, progress=progress)
    return load_file(path, map_location=map_location, weights_only=True)


# ---- models ----------------------------------------------------------------------------------


def load(
    repo_or_dir: str,
    model: str,
    *args: Any,
    source: str = "github",
    trust_repo: bool | str | None = None,
    force_reload: bool = False,
    verbose: bool = True,
    skip_validation: bool = False,
    **kwargs: Any,
) -> Any:
    """What the entry `model` of a repository returns for the other arguments.

    `"pytorch/vision"` (with any `:branch`) means `chainrule.vision.models`; nothing is downloaded.
    `source="local"` runs the `hubconf.py` of the folder `repo_or_dir`. The last four named
    arguments are accepted and without effect.

    Raises ValueError for another source, RuntimeError for an entry that does not exist,
    NotImplementedError for other repositories on GitHub: their code is written for PyTorch.

    >>> from chainrule import hub
    >>> net = hub.load("pytorch/vision:v0.10.0", "squeezenet1_1", num_classes=10)
    >>> net.classifier[1].out_channels
    10
    """
    return _entry(_module(repo_or_dir, source), model)(*args, **kwargs)


def list(
    github: str,
    force_reload: bool = False,
    skip_validation: bool = False,
    trust_repo: bool | str | None = None,
    verbose: bool = True,
) -> Any:
    """The names of a repository's entries (`github` as for `load`)."""
    module = _module(github, "github")
    return [
        name
        for name, value in sorted(vars(module).items())
        if callable(value) and not name.startswith("_") and not isinstance(value, type)
    ]


def help(
    github: str,
    model: str,
    force_reload: bool = False,
    skip_validation: bool = False,
    trust_repo: bool | str | None = None,
) -> Any:
    """The docstring of a repository's entry."""
    return _entry(_module(github, "github"), model).__doc__


def _module(repository: str, source: str) -> ModuleType:
    if source not in ("github", "local"):
        raise ValueError(f'Unknown source: "{source}". Allowed values: "github" | "local".')
    if source == "local":
        return _local(Path(repository).expanduser())
    owner_and_name = repository.partition(":")[0]
    if owner_and_name not in PROVIDERS:
        raise NotImplementedError(
            f"hub.load({repository!r}) would run code that is written for PyTorch. Clone "
            f"https://github.com/{owner_and_name}, change its import lines (python -m chainrule "
            "port), and load it with hub.load(folder, model, source='local'). Known without that: "
            f"{', '.join(PROVIDERS)}"
        )
    return importlib.import_module(PROVIDERS[owner_and_name])


def _local(folder: Path) -> ModuleType:
    path = folder / "hubconf.py"
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: a repository for hub.load has one")
    spec = importlib.util.spec_from_file_location("hubconf", path)
    assert spec is not None and spec.loader is not None  # a .py file has both
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(folder))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    for needed in getattr(module, "dependencies", ()):
        if importlib.util.find_spec(needed) is None:
            raise RuntimeError(f"Missing dependencies: {needed}, which {path} asks for")
    return module


def _entry(module: ModuleType, name: str) -> Callable[..., Any]:
    entry = getattr(module, name, None)
    if not callable(entry):
        raise RuntimeError(f"Cannot find callable {name} in {module.__name__}")
    return entry
