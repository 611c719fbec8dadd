"""Counts that are kept as plain numbers and told when somebody asks.

A request is counted nine times. prometheus_client's own counters take a lock and walk the buckets each time; these are counted
by the event loop's thread alone, and copied by the thread that writes the exposition.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

Labels = tuple[str, ...]


class Tally(Collector):
    """How often something happened, by labels."""

    def __init__(self, name: str, help_: str, labels: Labels) -> None:
        self._name, self._help, self._labels = name, help_, labels
        self._counts: dict[Labels, int] = {}
        self._since: dict[Labels, float] = {}

    def add(self, labels: Labels) -> None:
        known = self._counts.get(labels)
        if known is None:
            known, self._since[labels] = 0, time.time()
        self._counts[labels] = known + 1

    def describe(self) -> Iterable[CounterMetricFamily]:
        return [CounterMetricFamily(self._name, self._help, labels=self._labels)]

    def collect(self) -> Iterable[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._help, labels=self._labels)
        for labels, count in list(self._counts.items()):
            family.add_metric(labels, count, created=self._since[labels])
        return [family]


class Durations(Collector):
    """A histogram of seconds, by labels."""

    def __init__(self, name: str, help_: str, labels: Labels, bounds_s: tuple[float, ...]) -> None:
        self._name, self._help, self._labels, self._bounds_s = name, help_, labels, bounds_s
        # Of each set of labels: how many fell into each bucket (the last has no end), then the sum, then since when.
        self._rows: dict[Labels, list[float]] = {}
        self._names_of_bounds = [*map(str, bounds_s), "+Inf"]

    def observe(self, labels: Labels, seconds: float) -> None:
        row = self._rows.get(labels)
        if row is None:
            row = self._rows[labels] = [*[0.0] * len(self._names_of_bounds), 0.0, time.time()]
        row[bisect_left(self._bounds_s, seconds)] += 1
        row[-2] += seconds

    def describe(self) -> Iterable[HistogramMetricFamily]:
        return [HistogramMetricFamily(self._name, self._help, labels=self._labels)]

    def collect(self) -> Iterable[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._help, labels=self._labels)
        for labels, row in list(self._rows.items()):
            *counts, sum_s, since_s = list(row)  # copied at once: a request may be counted meanwhile
            family.add_metric(labels, list(zip(self._names_of_bounds, accumulate(counts), strict=True)), sum_s)
            named = dict(zip(self._labels, labels, strict=True))
            family.add_sample(f"{self._name}_created", named, since_s)
        return [family]
