"""Every figure of the benchmarks in a short run: that it still measures, and what does not depend on the machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.registry import FIGURES
from tests.rigs.daemon import ROOT

pytestmark = pytest.mark.system
LIMIT_S = 600
CERTAIN = {"events lost", "events out of order", "syncs", "bytes written", "growth of resident memory"}
"""Targets that a busy machine can't miss: they count and don't time."""


@pytest.mark.timeout(LIMIT_S)
def test_every_figure_measures_and_what_is_counted_meets_its_target(tmp_path: Path) -> None:
    """Nothing is lost or out of order in any weather, and an event costs the disk what it may."""
    out = tmp_path / "bench.json"
    command = [sys.executable, "-m", "tests.bench", "--quick", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    figures = {figure["name"]: figure for figure in json.loads(out.read_text(encoding="utf-8"))["figures"]}
    assert figures.keys() == FIGURES.keys()
    counted = []
    for figure in figures.values():
        assert figure["rows"], figure["name"]
        for row in figure["rows"]:
            assert row["ours"]["samples"] >= 1
            assert row["beside"]["samples"] >= 1
            counted += [target for target in row["targets"] if target["what"] in CERTAIN]
    assert {target["what"] for target in counted} == CERTAIN
    assert [target for target in counted if not target["met"]] == []
    assert [path.name for path in tmp_path.iterdir()] == ["bench.json"]
