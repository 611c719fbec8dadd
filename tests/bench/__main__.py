"""`python -m tests.bench [--quick] [--only PART,...] [--json]`: starts everything, checks it, measures it, stops it.

Slowness never fails a run; an error or a wrong answer does (exit 1), and then there is no figure.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench import facts, nginx
from tests.bench.load import wrk_missing
from tests.bench.parts import FULL, PARTS, QUICK, Bench, Plan
from tests.bench.processes import BenchError, cores
from tests.bench.report import lines, verdict
from tests.support.packages import NGINX, WRK, need
from tests.support.parts import PartMissing

RESULTS = Path(__file__).parent / "results"


@contextmanager
def _alone() -> Iterator[None]:
    """Two runs at once would measure each other. Raises: BenchError."""
    with (Path(tempfile.gettempdir()) / "changeover-bench.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            raise BenchError("another run is under way") from err
        yield


def _install(parts: Collection[str]) -> None:
    """What the gateway is measured against and loaded with. Without it there are figures too, and the report says of which kind."""
    if set(parts) - {"journal"}:
        try:
            need({**NGINX, **WRK})
        except PartMissing as missing:
            print(missing, file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a second or two of each: whether it works, not how fast")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--only", type=_parts, default=PARTS, metavar="PART,...", help=", ".join(PARTS))
    given = parser.parse_args(arguments)
    try:
        with _alone(), tempfile.TemporaryDirectory(prefix="changeover-bench-") as place:
            _install(given.only)
            found = _measured(Path(place), QUICK if given.quick else FULL, given.only)
    except BenchError as err:
        print(f"no figures: {err}", file=sys.stderr)
        return 1
    RESULTS.mkdir(exist_ok=True)
    name = "latest.json" if given.only == PARTS else "part.json"
    (RESULTS / name).write_text(json.dumps(found, indent=1) + "\n")
    print("\n".join(lines(found)))
    if given.json:
        print(json.dumps(found))
    return 0


def _parts(text: str) -> tuple[str, ...]:
    asked = text.split(",")
    unknown = [name for name in asked if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(unknown)}")
    return tuple(name for name in PARTS if name in asked)


def _measured(place: Path, plan: Plan, parts: Collection[str]) -> dict[str, Any]:
    machine, before = facts.facts(), facts.cpu_times()
    os.sched_setaffinity(0, {cores()[1]})
    run = Bench(place, plan)
    found = run.run(parts)
    machine["stolen"] = facts.stolen(before, facts.cpu_times())
    reasons = {"nginx": nginx.missing(), "wrk": wrk_missing()}
    found |= {
        "facts": machine,
        "noise": facts.noisy(machine["load_before"], machine["stolen"]),
        "skipped": {name: reason for name, reason in reasons.items() if reason},
        "plan": "full" if plan is FULL else "quick",
        "parts": list(parts),
    }
    return found | {"reached": verdict(found)}


if __name__ == "__main__":
    sys.exit(main())
