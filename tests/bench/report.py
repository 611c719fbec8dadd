"""The run in words: one readable table, with what was to be reached beside what was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.bench import journal, writes
from tests.bench.content import IN_FLIGHT

RATIO, ADDED_P50_MS, KB_EACH = 25.0, 3.0, 60.0
Found = Mapping[str, Any]


def lines(found: Found) -> Iterator[str]:
    """The report, line by line; what was not measured is not in it."""
    yield from _machine(found["facts"], found["noise"])
    yield from _skipped(found["skipped"])
    if "checks" in found:
        yield f"\nCorrect first: {'; '.join(found['checks'])}."
    for method, part in found.get("cpu", {}).items():
        yield from _cpu(method, part)
    for name, part in found.get("in_flight", {}).items():
        yield from _flight(name, part)
    for name, told in _PARTS.items():
        if name in found:
            yield from told(found[name])
    yield from _verdict(found)


def verdict(found: Found) -> dict[str, bool | None]:
    """Reached or not; None where it was not measured."""
    ratios = [part["ratio"]["median"] for part in found.get("cpu", {}).values() if "ratio" in part]
    added = found.get("latency", {}).get("added")
    flight = found.get("in_flight", {}).get("gateway")
    whole = {
        f"CPU per request at most {RATIO:.0f} x nginx": max(ratios) <= RATIO if ratios else None,
        f"p50 added under {ADDED_P50_MS:.0f} ms": added["p50_ms"]["median"] < ADDED_P50_MS if added else None,
        f"{IN_FLIGHT} in flight without an error": flight["errors"] == 0 if flight else None,
        f"under {KB_EACH:.0f} KB for each of them": flight["kb_each"] < KB_EACH if flight else None,
    }
    return whole | writes.reached(found.get("writes")) | journal.reached(found.get("journal"))


def _machine(facts: Found, noise: str | None) -> Iterator[str]:
    where = (
        "gateway and nginx on core 0, load and ERP on core 1" if facts["separate_cores"] else "ONE core for everything"
    )
    yield f"{facts['cpu']}, {facts['cores']} cores ({where}), Linux {facts['kernel']}, Python {facts['python']}"
    yield f"{facts['nginx'] or 'no nginx'}; {facts['load_client']}; {facts['at']}, revision {facts['revision']}"
    yield f"load average before: {facts['load_before']:.2f}, stolen during: {facts['stolen']:.1%}"
    if noise:
        yield f"NOISY: {noise}. Ratios are rough, rates and latencies say little, and there is no verdict."


def _skipped(skipped: Found) -> Iterator[str]:
    for reason in skipped.values():
        yield f"skipped: {reason}"


def _cpu(method: str, part: Found) -> Iterator[str]:
    yield f"\n{method}: CPU per request, 32 connections" + " " * 8 + "µs   requests/s   core busy"
    for name in ("nginx", "gateway"):
        if name in part:
            row = part[name]
            yield f"  {name:40} {row['cpu_us']:8.0f} {row['requests_per_s']:12,.0f} {row['busy']:11.0%}"
    if "ratio" in part:
        ratio = part["ratio"]
        yield f"  {'ratio to nginx':40} {ratio['median']:8.1f}   ({ratio['min']:.1f}-{ratio['max']:.1f} by round)"


def _counts(counts: Found) -> Iterator[str]:
    yield "\nThe gateway's own counts"
    for name, value in counts.items():
        shown = "not exposed" if value is None else f"{value:.4%}" if name.endswith("ratio") else f"{value:.0f}"
        yield f"  {name.replace('_', ' '):40} {shown:>10}"


def _latency(part: Found) -> Iterator[str]:
    yield f"\nLatency at 300 requests/s, ERP answers after 20 ms{'':6}p50      p90      p99 (ms)"
    for name in ("nginx", "gateway"):
        if name in part:
            row = part[name]
            yield f"  {name:46} {row['p50_ms']:8.2f} {row['p90_ms']:8.2f} {row['p99_ms']:8.2f}"
    if "added" in part:
        added = part["added"]
        yield f"  {'added':46} {added['p50_ms']['median']:8.2f} {'':8} {added['p99_ms']['median']:8.2f}"


def _flight(name: str, part: Found) -> Iterator[str]:
    yield f"\n{part['calls']} calls in flight through {name}, ERP answers after 2 s"
    yield f"  errors {part['errors']}, answered {part['answered']} ({part['requests_per_s']:.0f}/s)"
    yield f"  at once: {part['peak_at_client']} at the client, {part['peak_at_erp']} at the ERP"
    before, peak = (part[f"pss_{when}_kb"] / 1024 for when in ("before", "peak"))
    yield f"  memory (PSS) {before:.0f} -> {peak:.0f} MB, RSS peak {part['rss_peak_kb'] / 1024:.0f} MB: {part['kb_each']:.1f} KB each"


def _stages(part: Found) -> Iterator[str]:
    names = list(dict.fromkeys(name for stages in part.values() for name in stages))
    yield f"\nMicroseconds per stage (wall), median (mean)   {'  '.join(f'{method:>16}' for method in part)}"
    for name in names:
        cells = (
            f"{stages[name]['median_us']:7.0f} ({stages[name]['mean_us']:6.0f})" if name in stages else ""
            for stages in part.values()
        )
        yield f"  {name + (' *' if name == 'execute' else ''):45}{'  '.join(f'{cell:>16}' for cell in cells)}"
    yield "  * with the ERP's answer. One call at a time: a create waits for every commit alone, which 32 at once share."


def _dialect(part: Found) -> Iterator[str]:
    unit, fields = part["unit"], part["fields"]
    title = f"The order, {fields['header']} header fields ({fields['filled']} filled)"
    yield f"\n{title:47}       µs   x {unit['what']} ({unit['us']:.1f} µs)"
    for name, cost in part["us"].items():
        yield f"  {name:45} {cost:8.1f} {part['units'][name]:6.1f}"


_PARTS: Mapping[str, Callable[[Found], Iterator[str]]] = {
    "counts": _counts,
    "latency": _latency,
    "stages": _stages,
    "dialect": _dialect,
    "writes": writes.lines,
    "journal": journal.lines,
}


def _verdict(found: Found) -> Iterator[str]:
    yield "\nTo be reached" + (" (noisy: read as a hint only)" if found["noise"] else "")
    for what, reached in verdict(found).items():
        yield f"  {'not measured' if reached is None else 'reached' if reached else 'NOT reached':12} {what}"
