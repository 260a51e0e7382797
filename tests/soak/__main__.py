"""`python -m tests.soak`: run for long what `make test` runs shortly; what came of it goes into docs/reliability.md."""

import argparse
import random
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.context import ROOT
from tests.bench.machine import describe, load_1min
from tests.bench.report import run_of
from tests.rigs.docs import with_block
from tests.soak import report, runner
from tests.soak.parts import PARTS, Part

PAGE = ROOT / "docs/reliability.md"
BLOCK = "soak"


def main(arguments: Sequence[str] | None = None, *, parts: Mapping[str, Part] = PARTS, page: Path = PAGE) -> int:
    """Run what was asked for; 1 when a promise was not kept, 130 when it was interrupted."""
    parser = _parser(parts)
    asked = parser.parse_args(arguments)
    named = {name: getattr(asked, name.replace("-", "_")) for name in parts}
    if all(amount is None for amount in named.values()):
        named = {name: part.least for name, part in parts.items()}
    jobs = [(parts[name], amount) for name, amount in named.items() if amount]
    if not jobs:
        parser.error("nothing is left to run")
    seed = random.SystemRandom().randrange(1 << 31) if asked.seed is None else asked.seed
    out = asked.out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    about = run_of(describe(out.parent), quick=False, load_before=load_1min())
    print(f"soak: seed {seed}", file=sys.stderr, flush=True)
    fresh = []
    try:
        with runner.shown(jobs) as show:
            running = runner.run(jobs, seed, out.parent, side_by_side=asked.side_by_side, show=show)
            fresh = [report.document(part, amount, found, about) for (part, amount), found in running]
    except KeyboardInterrupt:
        print("soak: interrupted; nothing was written", file=sys.stderr)
        return 130
    kept = report.kept(out, fresh)
    out.write_text(report.as_json(kept), encoding="utf-8")
    print(report.as_text(fresh))
    if all(each["quick"] for each in fresh):
        print(f"soak: wrote {out}; {page.name} is left as it is: shorter than promised", file=sys.stderr)
    else:
        page.write_text(
            with_block(page.read_text(encoding="utf-8"), BLOCK, report.as_markdown(kept, parts)), encoding="utf-8"
        )
        print(f"soak: wrote {out} and {page}", file=sys.stderr)
    return 1 if any(each["problems"] for each in fresh) else 0


def _parser(parts: Mapping[str, Part]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak",
        description=__doc__,
        epilog="Without an amount all parts run at the promised length. Example: python -m tests.soak --kills 100",
    )
    for part in parts.values():
        words = f"{part.title}: so many {part.unit} (promised: {report.amount_text(part.least)})"
        parser.add_argument(f"--{part.name}", type=_amount, metavar="N", help=words)
    parser.add_argument("--seed", type=int, help="repeats the choices of an earlier run (default: a new one)")
    parser.add_argument("--side-by-side", action="store_true", help="all parts at once, a process each")
    parser.add_argument("--out", type=Path, default=ROOT / "build/soak.json", help="where the JSON goes")
    return parser


def _amount(text: str) -> float:
    amount = float(text.replace("_", "").replace(",", ""))
    if not 0 <= amount < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not an amount")
    return amount


def _end(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # Also when it was started in the background, where a shell has Ctrl-C ignored.
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())
