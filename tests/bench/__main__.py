"""`python -m tests.bench`: run the benchmarks, write build/bench.json and the table of docs/benchmarks.md."""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench import report, runner
from tests.bench.context import ROOT, Context
from tests.bench.machine import describe, load_1min
from tests.bench.registry import FIGURES
from tests.bench.result import Figure
from tests.rigs.docs import with_block

CARDS = 250_000
QUICK_CARDS = 5_000
ATTEMPTS = 3
PAGE = ROOT / "docs/benchmarks.md"
BLOCK = "benchmarks"


def main(
    arguments: Sequence[str] | None = None,
    *,
    figures: Mapping[str, Figure] = FIGURES,
    page: Path = PAGE,
    cards: int = CARDS,
) -> int:
    """Run what was asked for; the exit code, 0 whether targets were met or not: a busy machine is no error."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("figure", nargs="*", help=f"which figures (all): {', '.join(figures)}")
    parser.add_argument("--quick", action="store_true", help="a short run, to see that everything works")
    parser.add_argument("--attempts", type=int, default=ATTEMPTS, help="runs of a figure that others disturb")
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench.json", help="where the JSON goes")
    asked = parser.parse_args(arguments)
    unknown = [name for name in asked.figure if name not in figures]
    if unknown:
        parser.error(f"no figure {', '.join(unknown)}; there are {', '.join(figures)}")
    chosen = [figures[name] for name in asked.figure or figures]
    start_s = time.monotonic()

    def say(text: str) -> None:
        print(f"bench {time.monotonic() - start_s:6.1f} s  {text}", file=sys.stderr, flush=True)

    out = asked.out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    # On the disk that is measured, and not in /tmp, which may be memory.
    scratch = Path(tempfile.mkdtemp(prefix="b", dir=out.parent))
    try:
        about = report.run_of(describe(scratch), quick=asked.quick, load_before=load_1min())
        context = Context(scratch, asked.quick, say, min(cards, QUICK_CARDS) if asked.quick else cards)
        outcomes = list(runner.run(chosen, context, 1 if asked.quick else max(1, asked.attempts)))
    finally:
        shutil.rmtree(scratch)
    out.write_text(report.as_json(about, outcomes), encoding="utf-8")
    print(report.as_text(about, outcomes))
    if asked.quick or len(chosen) < len(figures):
        say(f"wrote {out}; {page.name} is left as it is: it takes a full run of all figures")
        return 0
    text = with_block(page.read_text(encoding="utf-8"), BLOCK, report.as_markdown(about, outcomes))
    page.write_text(text, encoding="utf-8")
    say(f"wrote {out} and {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
