"""`chainrule doctor` tells the truth about the machine, as text and as JSON."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule.cli.main import main
from chainrule.runtime import machine


def test_json_has_every_section(capsys):
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == [
        "versions", "machine", "backends", "threads", "speed", "caches", "data", "optional",
        "problems",
    ]  # fmt: skip
    assert found["versions"] == {
        "chainrule": chainrule.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    assert found["machine"]["cores"] == os.cpu_count()
    assert 1 <= found["machine"]["usable cores"] <= os.cpu_count()
    assert found["backends"]["reference"].startswith("works")
    assert found["backends"]["llvm"].startswith("works")
    assert found["speed"]["multiply-adds, GFLOP/s"] > 0 < found["speed"]["memory, GB/s"]
    assert found["data"]["digits"] == "inside the package"
    assert found["problems"] == []


def test_text_says_the_same(capsys):
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    for word in ("machine", "reference", "threads", "caches", "mnist", "nothing is wrong"):
        assert word in printed


def test_data_are_found_where_they_are(monkeypatch, tmp_path, capsys):
    (tmp_path / "uci").mkdir()
    (tmp_path / "uci" / "sonar.csv").write_text("")
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path))
    main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)["data"]
    assert found["CHAINRULE_DATA"] == str(tmp_path)
    assert found["sonar"] == str(tmp_path / "uci" / "sonar.csv")
    assert found["mnist"] == "not here" or str(tmp_path) not in found["mnist"]


def test_a_wrong_data_folder_is_a_problem(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path / "nowhere"))
    assert main(["doctor"]) == 1
    assert "not a folder" in capsys.readouterr().out


@pytest.mark.parametrize(
    "files, quota",
    [
        ({}, None),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "150000 100000"}, 1.5),
        (
            {"cpu.max": "400000 100000", "a/cpu.max": "max 1000", "a/b/cpu.max": "20 10"},
            2.0,
        ),
        ({"cpu.max": "100000 100000", "a/b/cpu.max": "200000 100000"}, 1.0),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 0.5),
    ],
)
def test_the_quota_is_the_smallest_bound(files, quota, tmp_path):
    root, own = tmp_path / "cgroup", tmp_path / "own"
    root.mkdir()
    own.write_text("0::/a/b\n")
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    assert machine.cgroup_quota(root, own) == quota


def test_the_module_is_the_command():
    told = subprocess.run(
        [sys.executable, "-m", "chainrule", "--version"],
        capture_output=True, text=True, check=True, cwd=Path(chainrule.__file__).parents[1],
    )  # fmt: skip
    assert told.stdout.strip() == f"chainrule, version {chainrule.__version__}"
