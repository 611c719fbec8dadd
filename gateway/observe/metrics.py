"""The metrics: names, labels and buckets in one place. Every label has a closed set of values."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import generate_latest

from gateway.connectors.permits import Usage
from gateway.connectors.port import Gauge as ErpGauge
from gateway.observe.tallies import Durations, Tally
from gateway.store.feeds import FeedId

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One registry per process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("version", "object", "verb", "side", "status")
        self._requests = Tally("changeover_requests", "Requests answered.", labels)
        self._seconds = Durations(
            "changeover_request_seconds",
            "Time from the first byte to the last, ERP included.",
            ("version", "verb", "side"),
            _SECONDS,
        )
        self._stages = Durations("changeover_stage_seconds", "Time in one stage.", ("stage",), _SECONDS)
        for each in (self._requests, self._seconds, self._stages):
            self.registry.register(each)
        self.in_flight = 0
        in_flight = Gauge("changeover_in_flight", "Requests being answered.", registry=self.registry)
        in_flight.set_function(lambda: self.in_flight)
        self.cells = Gauge("changeover_cells", "Cells by phase.", ("phase",), registry=self.registry)
        self.table_revision = Gauge("changeover_table_revision", "Revision of the wave table.", registry=self.registry)
        self.erps = ErpMetrics(self.registry)
        self.policy_hits = Gauge("changeover_policy_cache_hits", "Decisions from the cache.", registry=self.registry)
        self.token_hits = Gauge("changeover_token_cache_hits", "Tokens known from before.", registry=self.registry)
        self.token_misses = Gauge("changeover_token_cache_misses", "Tokens verified.", registry=self.registry)
        self.policy_misses = Gauge(
            "changeover_policy_cache_misses", "Decisions the engine made.", registry=self.registry
        )
        self._keys_failing = Gauge(
            "changeover_token_keys_failing", "1 while an issuer's keys cannot be read: its last ones are believed for a day.",
            ("issuer",), registry=self.registry,
        )  # fmt: skip
        self._keys_age = Gauge(
            "changeover_token_keys_age_seconds", "Time since an issuer's keys were last read; a file is read when it changes.",
            ("issuer",), registry=self.registry,
        )  # fmt: skip

    def request(self, labels: tuple[str, str, str, str], status: int, seconds: float) -> None:
        """Count one answered request. Takes: (version, object, verb, side), each from a closed list."""
        version, object_, verb, side = labels
        self._requests.add((version, object_, verb, side, str(status)))
        self._seconds.observe((version, verb, side), seconds)

    def stages(self, times: Iterable[tuple[str, float]]) -> None:
        """Takes: names of stages, and the seconds each took."""
        observe = self._stages.observe
        for name, seconds in times:
            observe((name,), seconds)

    def keys(self, issuers: Mapping[str, tuple[str | None, float | None]]) -> None:
        """Takes: by issuer what is wrong with its keys, and their age in seconds; None while there are none."""
        self._keys_failing.clear()
        self._keys_age.clear()
        for issuer, (reason, age_s) in issuers.items():
            self._keys_failing.labels(issuer).set(reason is not None)
            if age_s is not None:
                self._keys_age.labels(issuer).set(age_s)

    async def text(self) -> bytes:
        """The exposition, made in a thread: rendering thousands of series would hold up every request."""
        return await asyncio.to_thread(generate_latest, self.registry)


class ErpMetrics:
    """What is told of ERPs: calls to them, their change feeds, and what they derive. Set when somebody reads it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._in_flight = Gauge(
            "changeover_erp_in_flight", "Calls on their way to an ERP.", ("erp",), registry=registry
        )
        self._in_use = Gauge(
            "changeover_erp_permits_in_use", "Calls under way, by what they are for.", ("erp", "priority"),
            registry=registry,
        )  # fmt: skip
        self._waiting = Gauge(
            "changeover_erp_waiting", "Calls that wait for their turn.", ("erp", "priority"), registry=registry
        )
        self._share = Gauge(
            "changeover_erp_share", "Calls at once that this instance may make of the ERP's budget.", ("erp",),
            registry=registry,
        )  # fmt: skip
        self._answers = Gauge(
            "changeover_erp_answers", "Answers of an ERP since the start.", ("erp", "kind"), registry=registry
        )
        self._open = Gauge("changeover_erp_breaker_open", "1 while an ERP is left alone.", ("erp",), registry=registry)
        self._reuse = Gauge(
            "changeover_erp_connection_reuse_ratio", "Calls on a kept connection.", ("erp",), registry=registry
        )
        self._feed_lag = Gauge(
            "changeover_feed_lag_seconds", "Time since this instance began the last look that read an ERP's change feed to its end.",
            ("erp", "object"), registry=registry,
        )  # fmt: skip
        self._feed_records = Gauge(
            "changeover_feed_records", "Records of change feeds since the start, by what they were.",
            ("erp", "object", "verdict"), registry=registry,
        )  # fmt: skip
        self._derived = Gauge(
            "changeover_derived_records",
            "Documents that ERPs derived, compared since the start: equal, different (a case), or apart for a known reason.",
            ("object", "verdict"), registry=registry,
        )  # fmt: skip

    def calls(self, erps: Mapping[str, tuple[ErpGauge, Usage]]) -> None:
        """Copy what the connectors count."""
        for name, (gauge, usage) in erps.items():
            self._in_flight.labels(name).set(sum(usage.in_use.values()))
            self._share.labels(name).set(usage.share.concurrency)
            for priority, count in usage.in_use.items():
                self._in_use.labels(name, priority).set(count)
                self._waiting.labels(name, priority).set(usage.waiting[priority])
            self._open.labels(name).set(gauge.breaker != "closed")
            calls = gauge.opened + gauge.reused
            self._reuse.labels(name).set(gauge.reused / calls if calls else 1)
            for kind, count in gauge.answers.items():
                self._answers.labels(name, kind).set(count)

    def feeds(self, lag_s: Mapping[FeedId, float], seen: Mapping[FeedId, Mapping[str, int]]) -> None:
        """Copy what the feed reader counts; plants are told together, the slowest one counts."""
        self._feed_lag.clear()
        for (erp, object_, _), lag in sorted(lag_s.items(), key=lambda item: item[1]):
            self._feed_lag.labels(erp, object_).set(lag)
        totals: Counter[tuple[str, str, str]] = Counter()
        for (erp, object_, _), verdicts in seen.items():
            totals.update({(erp, object_, verdict): count for verdict, count in verdicts.items()})
        for labels, count in totals.items():
            self._feed_records.labels(*labels).set(count)

    def derived(self, counted: Mapping[tuple[str, str], int]) -> None:
        """Copy what came of comparing derived documents, by (object, verdict)."""
        for labels, count in counted.items():
            self._derived.labels(*labels).set(count)
