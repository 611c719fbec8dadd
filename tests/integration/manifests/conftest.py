"""The ERPs whose manifests are shown here: simulated, mock-sap, Tryton."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import cache

import pytest

from gateway.connectors.factory import make_connector
from gateway.control.content import Content, load, read_folder
from gateway.core.canonical import Document
from gateway.pipeline.exchange import erp_path
from tests.integration.manifests.subjects import Subject, Ways
from tests.integration.real import samples_mocksap, samples_sim, samples_tryton
from tests.support.deployment import (
    Site,
    installed,
    mocksap_new,
    mocksap_old,
    sim_cloud,
    sim_legacy,
    tryton_rest,
    tryton_rpc,
)
from tests.support.erp_contract import Json, Sample, Truth
from tests.support.simulated import Pair, simulated_pair

ERPS = {
    "ecc": "sim-legacy", "s4": "sim-cloud", "mock-sap-v2": "mocksap-old", "mock-sap-v4": "mocksap-new",
    "tryton": "tryton-old", "tryton-rest": "tryton-new",
}  # fmt: skip
PLANTS = {"sim": "1000", "mocksap": "1710", "tryton": "P100"}


def second_line(**changes: object) -> Callable[[Document], Document]:
    """A document with a second line that its ERP cannot take."""
    return lambda document: {
        **document,
        "lines": [*document["lines"], {**document["lines"][0], "line": "20", **changes}],
    }


def bad_part(document: Document) -> Document:
    first, last = document["components"]
    return {**document, "components": [first, {**last, "quantity": Decimal("0.123")}]}


def from_stock(tag: str) -> Json:
    """An order whose parts lie where it takes them from: else `assign_try` assigns nothing."""
    made = samples_tryton.order(tag)
    return made | {"components": [{**part, "storage_location": "P100-STO"} for part in made["components"]]}


def _ways(samples: dict[str, Sample], patch: dict[str, Document], **spoil: Callable[[Document], Document]) -> Ways:
    return Ways({name: sample.new for name, sample in samples.items()}, patch, spoil)


WAYS = {
    "sim": _ways(
        dict(samples_sim.SAMPLES),
        {"production_order": {"planned_end": None}, "item": {"group": "L002"}, "purchase_order": {"payment_terms": "0002"}},
        purchase_order=second_line(item="NO-SUCH"), movement=second_line(item="NO-SUCH"), receipt=second_line(item="NO-SUCH"),
    ),
    "mocksap": _ways(
        dict(samples_mocksap.SAMPLES_V2),
        {"item": {"group": "L002"}, "purchase_order": {"payment_terms": "0002"}},
        purchase_order=second_line(line="10"),
    ),
    "tryton": _ways(
        {**samples_tryton.SAMPLES, "production_order": replace(samples_tryton.SAMPLES["production_order"], new=from_stock)},
        {"production_order": {"planned_end": None}, "item": {"name": "Valve, changed"}, "purchase_order": {"reference": "CHANGED"}},
        purchase_order=second_line(item="FG-100"), movement=second_line(item="RM-300", unit="KGM", quantity=Decimal("0.123")),
        production_order=bad_part,
    ),
}  # fmt: skip


@pytest.fixture(scope="session")
def sims() -> Iterator[Pair]:
    with simulated_pair() as pair:
        yield pair


@pytest.fixture(scope="session")
def sites(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], tuple[Content, dict[str, Truth]]]]:
    """The content of a site and what its ERPs really hold, started when first asked for."""
    ask = request.getfixturevalue
    with pytest.MonkeyPatch.context() as patch:

        @cache
        def site(kind: str) -> tuple[Content, dict[str, Truth]]:
            declared, truths = _site(kind, ask)
            made = installed(tmp_path_factory.mktemp(kind), declared, "legacy")
            for name, value in made.environment.items():
                patch.setenv(name, value)
            return load(read_folder(made.content)), truths

        yield site


def _site(kind: str, ask: Callable[[str], object]) -> tuple[Site, dict[str, Truth]]:
    plants = {PLANTS[kind]: "eu" if kind == "sim" else None}
    if kind == "sim":
        pair: Pair = ask("sims")  # type: ignore[assignment]
        truths = {
            "sim-legacy": samples_sim.SimTruth(pair.legacy, False),
            "sim-cloud": samples_sim.SimTruth(pair.cloud, True),
        }
        return Site(sim_legacy(pair.legacy), sim_cloud(pair.cloud), plants), dict(truths)
    if kind == "mocksap":
        old, new = ask("mocksap_v2"), ask("mocksap_v4")
        truth = samples_mocksap.MockSapTruth
        return Site(mocksap_old(old), mocksap_new(new), plants), {
            "mocksap-old": truth(old, False),
            "mocksap-new": truth(new, True),
        }  # type: ignore[arg-type]
    old, new = ask("tryton_legacy"), ask("tryton_cloud")
    tryton = samples_tryton.TrytonTruth
    return Site(tryton_rpc(old), tryton_rest(new), plants), {"tryton-old": tryton(old), "tryton-new": tryton(new)}  # type: ignore[arg-type]


@pytest.fixture
async def subject(name: str, sites: Callable[[str], tuple[Content, dict[str, Truth]]]) -> AsyncIterator[Subject]:
    """The ERP of a manifest; its connections live as long as the test's own event loop."""
    erp = ERPS[name]
    kind = erp.partition("-")[0]
    content, truths = sites(kind)
    dialect = content.dialects[content.erps[erp].dialect]
    connector = make_connector(content.erps[erp], dialect.file.protocol or "")
    path = erp_path(erp, connector, dialect)
    yield Subject(path, content.manifest(erp), PLANTS[kind], content.dialects["api-v2"], WAYS[kind], truths[erp])
    await connector.close()
