"""Our own counters tell what prometheus_client's would have told, line by line."""

from __future__ import annotations

import re

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import generate_latest

from gateway.observe.tallies import Durations, Tally

BOUNDS_S = (0.001, 0.5, 1.0)
SECONDS = (0.0, 0.001, 0.0011, 0.5, 1.0, 7.5)


def told(registry: CollectorRegistry) -> str:
    return re.sub(r"(_created\S* )\S+", r"\1<when>", generate_latest(registry).decode())


def test_a_tally_is_told_like_a_counter() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally = Tally("calls", "Calls.", ("verb", "status"))
    counter = Counter("calls", "Calls.", ("verb", "status"), registry=theirs)
    ours.register(tally)
    for labels in (("read", "200"), ("list", "404"), ("read", "200")):
        tally.add(labels)
        counter.labels(*labels).inc()
    assert told(ours) == told(theirs)


def test_durations_are_told_like_a_histogram() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    durations = Durations("took_seconds", "Time.", ("stage",), BOUNDS_S)
    histogram = Histogram("took_seconds", "Time.", ("stage",), buckets=BOUNDS_S, registry=theirs)
    ours.register(durations)
    for stage in ("admit", "render"):
        for seconds in SECONDS:
            durations.observe((stage,), seconds)
            histogram.labels(stage).observe(seconds)
    assert told(ours) == told(theirs)


def test_what_was_never_counted_is_told_without_samples() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    ours.register(Tally("calls", "Calls.", ("verb",)))
    Counter("calls", "Calls.", ("verb",), registry=theirs)
    assert told(ours) == told(theirs)
