"""Every search of the model `dual_write.pml`: what is compiled, what must come out, and the command that says so.

A search that must be clean is exhaustive within its bounds or it fails; a mutant must be caught, and by its own invariant;
an event that the clean searches rely on must be met. One search at a time: the machine is shared.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.support.packages import SPIN, need
from tests.support.parts import PartMissing

HERE = Path(__file__).parent
MODEL = HERE / "dual_write.pml"
README = HERE / "README.md"
TABLE_BEGINS, TABLE_ENDS = "<!-- results: begin -->", "<!-- results: end -->"
DEPTH = 10_000  # no history of the model is longer than a few hundred events


class Kind(StrEnum):
    """What a search is for."""

    CLEAN = "clean"
    MUTANT = "mutant"
    LIMIT = "limit"
    REACHED = "reached"


@dataclass(frozen=True, slots=True)
class Search:
    """One compilation of the model and what must come out of it."""

    name: str
    kind: Kind
    sentence: str
    defines: Mapping[str, str | int] = field(default_factory=dict)
    caught_by: str = ""  # the one invariant that is checked; empty: all of them
    cycles: bool = False  # look for a history without an end instead
    only_full: bool = False
    within_s: float = 120
    memory_mb: int = 4000

    @property
    def must_be_violated(self) -> bool:
        return self.kind is not Kind.CLEAN


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one search said. `trouble` is empty when it said what it must."""

    name: str
    kind: str
    sentence: str
    checked: str
    bounds: str
    states: int
    depth: int
    seconds: float
    verdict: str
    trouble: str


INVARIANTS: Mapping[str, str] = {
    "J0": "no ERP holds a write that the journal does not know",
    "I1": "what a client was told is kept stands in both ERPs, was refused by the deciding one, or has an open case",
    "I2": "no step of a write takes effect twice in one ERP",
    "I3": "a change never comes before its document, and both ERPs end with the same writes",
    "I4": "in each epoch one ERP decides, it decides first, and epochs rise along a lane",
    "I5": "at the flip, everything a client was told is kept can be read on the new side",
    "C1": "a repeated request hears the same operation, decided by the same side",
    "L1": "when the faults stop every leg ends, every client is answered and the flip ends or is called off",
}


def _clean(name: str, sentence: str, **defines: str | int) -> Search:
    return Search(name, Kind.CLEAN, sentence, defines)


def _full(name: str, sentence: str, **defines: str | int) -> Search:
    return Search(name, Kind.CLEAN, sentence, defines, only_full=True, within_s=1200, memory_mb=14_000)


def _endless(name: str, sentence: str, **defines: str | int) -> Search:
    return Search(name, Kind.CLEAN, sentence, defines, "L1", cycles=True)


def _mutant(name: str, caught_by: str, sentence: str, **defines: str | int) -> Search:
    switch = "MUTANT_" + name.partition(":")[0].replace("-", "_").upper()
    return Search(name, Kind.MUTANT, sentence, {switch: 1, **defines}, caught_by)


def _reached(name: str, sentence: str, condition: str, **defines: str | int) -> Search:
    return Search(name, Kind.REACHED, sentence, {"REACH": condition, **defines}, "reach")


PAUSED: Mapping[str, str | int] = {"MAX_CRASH": 0, "MAX_PAUSE": 1}
CALM: Mapping[str, str | int] = {"MAX_CRASH": 0, "MAX_TIMEOUT": 0}

CLEAN: Sequence[Search] = (
    _clean("key", "the ERP has an idempotency key"),
    _clean("reference", "the ERP can be searched for our reference", CLASS="REFERENCE", MAX_CRASH=2, MAX_TIMEOUT=2),
    _clean("conditional", "the ERP checks the ETag of a change", CLASS="CONDITIONAL"),
    _clean("none", "the ERP can do nothing: doubt is a case for a person", CLASS="NONE"),
    _clean("two-steps-key", "a create is a call and a commit, each with its key", STEPS=2),
    _clean("two-steps-reference", "a create is a call and a commit, each looked up", STEPS=2, CLASS="REFERENCE"),
    _clean("paused-key", "an instance stops, loses its lease and wakes up again", **PAUSED),
    _clean("paused-reference", "the same, and the ERP is searched", CLASS="REFERENCE", **PAUSED),
    _clean("pause-after-check-key", "it stops after the last check; the key makes it harmless",
           PAUSE_AFTER_CHECK=1, MAX_PAUSE=1, **CALM),
    _clean("pause-after-check-conditional", "it stops after the last check; the ETag makes it harmless",
           PAUSE_AFTER_CHECK=1, MAX_PAUSE=1, CLASS="CONDITIONAL", **CALM),
    _clean("retry", "a client sends the same Idempotency-Key again, to any instance", MAX_RETRY=1, MAX_TIMEOUT=0),
    _clean("refusal", "an ERP refuses one leg for good", MAX_REFUSAL=1),
    _clean("window", "the ERP forgets an idempotency key", MAX_WINDOW=1),
    _clean("parent-child", "the change is a document of its own with a declared parent", PARENT_CHILD=1),
    _clean("feed-crash", "a person edits on a screen, a change derives a record; one crash", FEED=1, MAX_TIMEOUT=0),
    _clean("feed-timeout", "a person edits on a screen, a change derives a record; one timeout", FEED=1, MAX_CRASH=0),
    _clean("fickle", "an ERP refuses a re-send, then takes the first copy; the refusal waits for quiet",
           FICKLE_ERP=1, MAX_REFUSAL=1, MAX_CRASH=0),
    _clean("gate", "what stands before an ERP refuses a key that was carried out already: a case", MAX_GATE=1, MAX_CRASH=0),
    _endless("endless-key", "no history goes on for ever"),
    _endless("endless-reference", "no history goes on for ever, with lookups", CLASS="REFERENCE"),
    _full("full-key-2-2", "two crashes and two timeouts", MAX_CRASH=2, MAX_TIMEOUT=2),
    _full("full-key-pause", "a crash, a timeout and a pause", MAX_PAUSE=1),
    _full("full-reference-pause", "a crash, a timeout and a pause, looked up", MAX_PAUSE=1, CLASS="REFERENCE"),
    _full("full-conditional-pause", "a timeout and a pause after the last check",
           PAUSE_AFTER_CHECK=1, CLASS="CONDITIONAL", **PAUSED),
    _full("full-retry", "a repeated key, a crash and a timeout", MAX_RETRY=1),
    _full("full-feed", "a person's edit, a crash and a timeout", FEED=1),
    _full("full-fickle", "a fickle refusal, a crash and a timeout", FICKLE_ERP=1, MAX_REFUSAL=1),
    Search("full-endless-pause", Kind.CLEAN, "no history goes on for ever, with a pause", PAUSED, "L1", cycles=True,
           only_full=True, within_s=600, memory_mb=14_000),
)  # fmt: skip

MUTANTS: Sequence[Search] = (
    _mutant("no-journal", "J0", "without a journal an ERP gets a write that nobody has written down"),
    _mutant("no-journal:lost", "I1", "without a journal a crash loses what the client was told is kept"),
    _mutant("no-journal:stuck", "L1", "without a journal a crash leaves a client without an answer"),
    _mutant("ack-before-journal", "I1", "a client answered before the journal commit can lose its write"),
    _mutant("no-erp-key", "I2", "a re-send without the ERP's key books twice"),
    _mutant("no-lane", "I3", "without a lane the change overtakes its document"),
    _mutant("no-lane:parent", "I3", "without the parent rule a confirmation overtakes its order", PARENT_CHILD=1),
    _mutant("no-epoch-check", "I4", "a route read before the flip lets the old ERP decide after it"),
    _mutant("no-drain", "I5", "a flip that does not drain hides accepted writes from the new side"),
    _mutant("no-drain:decides", "I4", "a flip that does not drain lets the old ERP decide after it"),
    _mutant("lookup-without-quiesce", "I2", "a lookup while the first request may still commit books twice",
            CLASS="REFERENCE"),
    _mutant("resend-after-window", "I2", "a re-send after the ERP forgot the key books twice", MAX_WINDOW=1),
    _mutant("window-without-margin", "I2", "a re-send that arrives after the window books twice", MAX_WINDOW=1),
    _mutant("replay-rerouted", "C1", "a repeated request steered anew is decided by another side", MAX_RETRY=1),
    _mutant("replay-rerouted:twice", "I2", "a repeated request steered anew books twice", MAX_RETRY=1, CLASS="REFERENCE"),
    _mutant("relay-without-fence", "I2", "two relays in one lane book twice", CLASS="REFERENCE", **PAUSED),
    _mutant("watermark-before-fence", "I5", "a watermark drawn before the fence misses a write accepted in between"),
    _mutant("cancel-after-commit", "I4", "a flip taken back after its commit makes epochs fall"),
    _mutant("stale-instance-not-fenced", "I2", "an instance that wakes up without a lease books twice",
            CLASS="REFERENCE", **PAUSED),
    _mutant("mirror-derived", "I2", "mirroring a derived record books it twice", FEED=1, MAX_CRASH=0),
    _mutant("echo-by-user", "I3", "telling echoes by user loses a batch job's edit", FEED=1, MAX_CRASH=0),
    _mutant("step-not-journalled", "I2", "a second step that is not journalled is sent twice after a crash",
            CLASS="REFERENCE", STEPS=2),
    _mutant("refusal-not-quiesced", "I3", "a refused re-send is believed while the first copy may still commit",
            FICKLE_ERP=1, MAX_REFUSAL=1),
    _mutant("refused-again-believed", "J0", "the refusal of a repeated key ends a write that was carried out",
            MAX_GATE=1, MAX_CRASH=0),
    Search("client-never-stops", Kind.MUTANT, "a client that repeats itself for ever keeps the search going: it would be noticed",
           {"MUTANT_CLIENT_NEVER_STOPS": 1, "MAX_RETRY": 1, **CALM}, "L1", cycles=True),
)  # fmt: skip

LIMITS: Sequence[Search] = (
    Search("pause-after-check-reference", Kind.LIMIT,
           "it stops after the last check and the ERP has neither key nor ETag: booked twice, reconciliation must find it",
           {"PAUSE_AFTER_CHECK": 1, "MAX_PAUSE": 1, "CLASS": "REFERENCE", **CALM}, "I2"),
)  # fmt: skip

_KEPT = "client[CREATE] == acked && client[CHANGE] == acked && BOTH_SIDES(CREATE) && BOTH_SIDES(CHANGE)"
_DOUBLE = "epoch_of[CREATE] == 0 && epoch_of[CHANGE] == 1"

REACHED: Sequence[Search] = (
    _reached("crash-and-timeout", "after a crash and a timeout both writes are kept on both sides, and the flip is done",
             f"crashes == 0 && timeouts == 0 && {_KEPT} && flip == finished"),
    _reached("flip-between", "the document is decided by the old ERP, its change by the new one",
             f"{_KEPT} && {_DOUBLE} && flip == finished"),
    _reached("flip-called-off", "a flip is called off with a crash and a timeout, and everything is kept",
             f"crashes == 0 && timeouts == 0 && {_KEPT} && flip == aborted"),
    _reached("settled-by-key", "doubt is settled by the same key, and the first copy commits late",
             f"saw_same_key && saw_late_commit && {_KEPT}"),
    _reached("settled-by-reference", "a lookup finds one write and does not find the other",
             f"saw_found && saw_absent && {_KEPT}", CLASS="REFERENCE", MAX_TIMEOUT=2),
    _reached("settled-by-etag", "a refused If-Match turns out to be our own write",
             f"saw_412_equal && {_KEPT}", CLASS="CONDITIONAL"),
    _reached("settled-by-person", "doubt becomes a case, and the flip names it and closes the key",
             "saw_case_of_doubt && case_open[CREATE] && client[CHANGE] == told_no && flip == finished", CLASS="NONE"),
    _reached("window-case", "a forgotten key becomes a case", "saw_window_case", MAX_WINDOW=1),
    _reached("fenced-takeover", "a sender is stopped at the last check because another one took the lane",
             f"saw_stale_stopped && fence[0] > 0 && crashes == 0 && {_KEPT}", MAX_CRASH=0, MAX_PAUSE=1),
    _reached("late-answer", "a late answer to a stale owner changes nothing",
             f"saw_fenced_answer && {_KEPT}", **PAUSED),
    _reached("replay-after-flip", "a key is repeated after the flip and keeps its epoch",
             f"saw_replay_after_flip && {_KEPT}", MAX_RETRY=1),
    _reached("refused", "the deciding ERP refuses: the other leg is void and the client knows",
             "client[CREATE] == told_no && LEG(CREATE, CLOUD) == voided", MAX_REFUSAL=1),
    _reached("split", "the other ERP refuses: one case, and the change waits behind it",
             "client[CREATE] == acked && case_open[CREATE] && HELD(CHANGE, CLOUD)", MAX_REFUSAL=1),
    _reached("second-step", "the second step is settled after a crash",
             f"saw_found && crashes == 0 && {_KEPT}", STEPS=2, CLASS="REFERENCE"),
    _reached("two-owners", "parent and child are worked by different instances",
             f"lane_owner[0] != lane_owner[1] && fence[1] > 0 && {_KEPT}", PARENT_CHILD=1, MAX_CRASH=2),
    _reached("edit-mirrored", "a batch job's edit stands on both sides after the flip",
             f"edit_by_interface_user && BOTH_SIDES(EDIT) && {_KEPT} && flip == finished", FEED=1, MAX_CRASH=0),
)  # fmt: skip

ALL: Sequence[Search] = (*CLEAN, *MUTANTS, *LIMITS, *REACHED)


# One search


class _Failed(Exception):
    """A tool did not do its part; the text says which."""


def search(what: Search) -> Outcome:
    """Compile the model as `what` asks and look at every history."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="changeover-model-") as place:
        try:
            said = _pan(what, Path(place))
        except _Failed as failed:
            return _outcome(what, began_s, "", verdict="not searched", trouble=str(failed))
    verdict = _verdict(what, said)
    return _outcome(what, began_s, said, verdict=verdict, trouble=_trouble(what, said, verdict))


def _pan(what: Search, place: Path) -> str:
    """The three steps of spin: a searcher in C, its compilation, its run."""
    switches = {"CHECK_" + (what.caught_by or "ALL"): 1} if what.caught_by != "reach" else {}
    lines = [f"#define {name} {value}" for name, value in {**what.defines, **switches}.items()]
    (place / "main.pml").write_text("\n".join([*lines, f'#include "{MODEL}"', ""]))
    mode = ["-DNP"] if what.cycles else ["-DSAFETY"]
    effort = "-O0" if what.must_be_violated else "-O2"  # most mutants are found before an optimiser would be done
    _step(["spin", "-a", "main.pml"], place, 60)
    _step(["gcc", effort, "-w", *mode, f"-DMEMLIM={what.memory_mb}", "-o", "pan", "pan.c"], place, 120)
    return _step(
        ["./pan", f"-m{DEPTH}", f"-w{28 if what.only_full else 24}", *(["-l"] if what.cycles else [])],
        place,
        what.within_s,
    )


def _step(command: list[str], place: Path, within_s: float) -> str:
    try:
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=within_s, check=False)
    except subprocess.TimeoutExpired:
        raise _Failed(f"{command[0]} took longer than {within_s:g} s") from None
    if done.returncode != 0 and command[0] != "./pan":
        raise _Failed(f"{command[0]}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout + done.stderr


def _verdict(what: Search, said: str) -> str:
    if re.search(r"errors: 0\b", said):
        return "clean" if not what.cycles else "always ends"
    if re.search(r"pan:\d+: non-progress cycle", said):
        return "endless"
    if re.search(r"pan:\d+: assertion violated", said):
        return "reached" if what.kind is Kind.REACHED else "violated"
    return "other error"


def _trouble(what: Search, said: str, verdict: str) -> str:
    if "max search depth too small" in said:
        return f"depth truncated at {DEPTH}"
    if what.must_be_violated:
        if verdict == ("endless" if what.cycles else "reached" if what.kind is Kind.REACHED else "violated"):
            return ""
        return "the event is never met" if what.kind is Kind.REACHED else "the mutant survives"
    if verdict in ("clean", "always ends"):
        return "search incomplete" if "Search not completed" in said or "out of memory" in said else ""
    found = re.search(r"pan:\d+: (.*)", said)
    return found[1][:200] if found else "pan said nothing that is known"


def _outcome(what: Search, began_s: float, said: str, *, verdict: str, trouble: str) -> Outcome:
    states, depth = re.search(r"(\d+) states, stored", said), re.search(r"depth reached (\d+)", said)
    words = (
        f"{name}={value}" for name, value in what.defines.items() if name != "REACH" and not name.startswith("MUTANT")
    )
    return Outcome(
        name=what.name,
        kind=what.kind.value,
        sentence=what.sentence,
        checked="" if what.kind is Kind.REACHED else what.caught_by or "all",
        bounds=" ".join(words),
        states=int(states[1]) if states else 0,
        depth=int(depth[1]) if depth else 0,
        seconds=round(time.monotonic() - began_s, 1),
        verdict=verdict,
        trouble=trouble,
    )


# The command


def chosen(*, mutant: str | None = None, full: bool = False) -> list[Search]:
    """What one call of the command runs: one mutant with all its invariants, or everything.

    Raises: KeyError for a mutant nobody knows.
    """
    if mutant is None:
        return [each for each in ALL if full or not each.only_full]
    found = [each for each in MUTANTS if each.name.partition(":")[0] == mutant]
    if not found:
        raise KeyError(mutant)
    return found


def line(outcome: Outcome) -> str:
    """One row of progress."""
    mark = "ok  " if not outcome.trouble else "FAIL"
    found = f"{outcome.verdict} {outcome.trouble}".strip()
    counted = f"{outcome.states:>10,} states  depth {outcome.depth:>3}  {outcome.seconds:>6.1f} s"
    return f"{mark} {outcome.kind:<8}{outcome.name:<30}{outcome.checked:<4}{counted}  {found}"


def table(outcomes: Sequence[Outcome]) -> str:
    """The README's table."""
    rows = [
        "| search | checks | bounds | verdict | states | depth | s | in words |",
        "|---|---|---|---|--:|--:|--:|---|",
    ]
    rows += [
        f"| `{each.name}` | {each.checked} | {each.bounds} | {each.verdict}{' **' + each.trouble + '**' if each.trouble else ''} "
        f"| {each.states:,} | {each.depth} | {each.seconds} | {each.sentence} |"
        for each in outcomes
    ]
    return "\n".join(rows)


def run_all(searches: Sequence[Search]) -> Iterator[Outcome]:
    """One after the other, with a line each."""
    for number, each in enumerate(searches, 1):
        outcome = search(each)
        print(f"{number:>2}/{len(searches)} {line(outcome)}", file=sys.stderr, flush=True)
        yield outcome


def write_readme(outcomes: Sequence[Outcome]) -> None:
    """Put the table where the README keeps it."""
    head, _, rest = README.read_text().partition(TABLE_BEGINS)
    tail = rest.partition(TABLE_ENDS)[2]
    README.write_text(f"{head}{TABLE_BEGINS}\n{table(outcomes)}\n{TABLE_ENDS}{tail}")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every search said what it must, 1 when one did not, 2 when spin or gcc are missing."""
    asked = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    asked.add_argument("--mutant", metavar="NAME", help="only this mutant")
    asked.add_argument("--json", action="store_true", help="the outcomes as JSON on standard output")
    asked.add_argument("--full", action="store_true", help="larger bounds too (minutes, up to 14 GB)")
    asked.add_argument("--readme", action="store_true", help="write the README's table again")
    wanted = asked.parse_args(arguments)
    try:
        searches = chosen(mutant=wanted.mutant, full=wanted.full)
        need(SPIN)
    except KeyError:
        asked.error(f"no such mutant: {wanted.mutant}")
    except PartMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    began_s = time.monotonic()
    outcomes = list(run_all(searches))
    bad = [each.name for each in outcomes if each.trouble]
    if wanted.json:
        print(json.dumps([asdict(each) for each in outcomes], indent=1))
    if wanted.readme and not wanted.mutant:
        write_readme(outcomes)
    print(
        f"{len(outcomes)} searches, {sum(each.states for each in outcomes):,} states, {time.monotonic() - began_s:.0f} s: "
        + (f"FAILED: {', '.join(bad)}" if bad else "all as they must be"),
        file=sys.stderr,
    )
    return 1 if bad else 0
