"""Every part of the soak run, shortly, through the command."""

import json
from pathlib import Path

import pytest

from tests.soak.__main__ import PAGE, main
from tests.soak.parts import PARTS

pytestmark = pytest.mark.system

SHORT = {"kills": "2", "crash-points": "100", "tap-hours": "0.001"}


@pytest.mark.timeout(300)
def test_every_part_runs_and_keeps_its_promises(tmp_path: Path) -> None:
    """Rounds of SIGKILL, power cuts and taps side by side: each did something, none broke a promise."""
    assert SHORT.keys() == PARTS.keys()
    out, before = tmp_path / "soak.json", PAGE.read_bytes()
    amounts = [text for name, amount in SHORT.items() for text in (f"--{name}", amount)]
    assert main([*amounts, "--seed", "1", "--side-by-side", "--out", str(out)]) == 0
    parts = {part["name"]: part for part in json.loads(out.read_text(encoding="utf-8"))["parts"]}
    assert parts["kills"]["figures"]["SIGKILLs"] >= 2
    assert parts["crash-points"]["figures"]["crash points"] == 100
    taps = parts["tap-hours"]["figures"]
    assert all(taps[f"{stack}: taps"] > 0 for stack in ("emulated", "pcscd", "nfcpy, PN532", "nfcpy, UDP"))
    assert PAGE.read_bytes() == before
