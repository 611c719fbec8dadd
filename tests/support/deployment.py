"""A gateway in front of given ERPs, whatever they are: the reference content with its routes written anew."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, cast

import yaml

from gateway.settings import shipped
from tests.support.gateway import Deployment, deployment
from tests.support.mocksap import MockSap
from tests.support.simulated import SECRET, Pair, SimErp
from tests.support.tryton import TrytonServer

Side = Literal["legacy", "cloud"]
CALLERS = ("admin", "planning", "steward", "auditor")  # the clients that are bound to no plant
DOMAINS = ["production", "inventory", "procurement", "master_data"]
PRODUCT_V2 = "/sap/opu/odata/sap/API_PRODUCT_SRV/"
PRODUCT_V4 = "/sap/opu/odata4/sap/api_product/srvd_a2x/sap/api_product/0001/"


@dataclass(frozen=True, slots=True)
class Declared:
    """An ERP as `routes/erps/<name>.yaml` declares it; address and secret go through the environment."""

    name: str
    dialect: str
    url: str
    secret: str
    auth: Mapping[str, Any]
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {f"CHANGEOVER_ERP_{self._word}_URL": self.url, f"CHANGEOVER_ERP_{self._word}_SECRET": self.secret}

    @property
    def _word(self) -> str:
        return self.name.upper().replace("-", "_")

    def rule(self, limits: Mapping[str, Any]) -> dict[str, Any]:
        place = f"env:CHANGEOVER_ERP_{self._word}"
        auth = {**self.auth, "secret": f"{place}_SECRET"}
        head = {"erp": self.name, "title": self.name, "dialect": self.dialect, "base_url": f"{place}_URL"}
        return {**head, "auth": auth, "limits": dict(limits), **self.more}


@dataclass(frozen=True, slots=True)
class Site:
    """Two ERPs and the plants in front of them, each with its region."""

    legacy: Declared
    cloud: Declared
    plants: Mapping[str, str | None]


def sim_legacy(erp: SimErp) -> Declared:
    more = {"csrf": {"fetch": PRODUCT_V2}, "headers": {"sap-client": "100"}, "manifest": "ecc"}
    return Declared("sim-legacy", "sap-ecc", erp.url, SECRET, {"kind": "basic", "user": "GATEWAY"}, more)


def sim_cloud(erp: SimErp) -> Declared:
    auth = {"kind": "client-credentials", "user": "gateway", "token_path": "/oauth/token"}
    return Declared("sim-cloud", "sap-s4", erp.url, SECRET, auth, {"csrf": {"fetch": PRODUCT_V4}, "manifest": "s4"})


def sim_d365(erp: SimErp) -> Declared:
    auth = {"kind": "client-credentials", "user": "gateway", "token_path": "/oauth/token"}
    return Declared("sim-d365", "d365", erp.url, SECRET, auth)


def mocksap_old(server: MockSap, url: str = "") -> Declared:
    auth = {"kind": "basic", "user": server.user}
    more = {"csrf": {"fetch": PRODUCT_V2}, "manifest": "mock-sap-v2"}
    return Declared("mocksap-old", "sap-ecc", url or server.base_url, server.password, auth, more)


def mocksap_new(server: MockSap, url: str = "") -> Declared:
    auth = {"kind": "basic", "user": server.user}
    more = {"csrf": {"fetch": PRODUCT_V4}, "manifest": "mock-sap-v4"}
    return Declared("mocksap-new", "sap-s4", url or server.base_url, server.password, auth, more)


def tryton_rpc(server: TrytonServer, url: str = "") -> Declared:
    place = f"{url or server.base_url}/{server.database}"
    auth = {"kind": "tryton", "user": server.user}
    return Declared("tryton-old", "tryton", place, server.password, auth, {"manifest": "tryton"})


def tryton_rest(server: TrytonServer, url: str = "") -> Declared:
    place = f"{url or server.base_url}/{server.database}"
    return Declared(
        "tryton-new", "tryton-rest", place, server.rest_key, {"kind": "bearer"}, {"manifest": "tryton-rest"}
    )


def installed(
    folder: Path,
    site: Site,
    phase: str,
    *,
    database_url: str = "",
    changeable: Mapping[str, Sequence[str]] | None = None,
    limits: Mapping[str, Any] | None = None,
    max_exec_s: float = 1.0,
    numbers: Mapping[str, Mapping[str, tuple[int, int]]] | None = None,
) -> Deployment:
    """Write content for a site whose cells all begin in `phase`.

    Takes: `changeable`, resource -> further fields that version 2 lets a client change; `limits`, towards both ERPs;
    `max_exec_s`, how long a call may still work in them that nobody waits for any more; `numbers`, manifest -> object -> the first and
    the last number there, where two ERPs of one make stand side by side.
    """
    erps = (site.legacy, site.cloud)
    addresses = SimpleNamespace(legacy=SimpleNamespace(url=""), cloud=SimpleNamespace(url=""))
    made = deployment(folder, cast(Pair, addresses), database_url=database_url, clients=CALLERS)
    for unused in (made.content / "routes/erps").iterdir():
        unused.unlink()
    _only_dialects(made, {erp.dialect for erp in erps})
    for erp in erps:
        _write(made, f"routes/erps/{erp.name}.yaml", erp.rule(limits or {"call_timeout_s": 10, "breaker_open_s": 1}))
        made.environment.update(erp.environment)
    plants = {
        code: {"name": f"Plant {code}", **({"region": region} if region else {})}
        for code, region in site.plants.items()
    }
    _write(made, "routes/plants.yaml", {"plants": plants})
    _write(made, "routes/waves.yaml", {"cells": cells(site, phase)})
    for resource, fields in (changeable or {}).items():
        _allow(made, resource, fields)
    _manifests(made, max_exec_s, numbers or {})
    return made


def _manifests(made: Deployment, max_exec_s: float, numbers: Mapping[str, Mapping[str, tuple[int, int]]]) -> None:
    """These ERPs work for milliseconds: no test waits for a minute to be sure that a call has ended."""
    for path in (shipped() / "routes/manifests").iterdir():
        manifest = yaml.safe_load(path.read_text("utf-8"))
        for verbs in manifest["objects"].values():
            for rule in verbs.values():
                rule["max_exec_s"] = max_exec_s
        for object_, (first, last) in numbers.get(manifest["manifest"], {}).items():
            manifest["number_ranges"][object_] = [{"first": first, "last": last}]
        _write(made, f"routes/manifests/{path.name}", manifest)


def cells(site: Site, phase: str) -> list[dict[str, Any]]:
    """All cells of a site, as `routes/waves.yaml` declares them."""
    both = {"legacy": site.legacy.name, "cloud": site.cloud.name, "phase": phase}
    enterprise = {"plants": ["*"], "domains": ["master_data"], **both}
    return [enterprise, *({"plants": [plant], "domains": DOMAINS, **both} for plant in site.plants)]


def move(made: Deployment, phase: str, *plants: str) -> None:
    """Declare another phase for some plants' cells; `changeover apply` puts it in force."""
    path = made.content / "routes/waves.yaml"
    declared = yaml.safe_load(path.read_text("utf-8"))
    for rule in declared["cells"]:
        if set(rule["plants"]) <= set(plants):
            rule["phase"] = phase
    _write(made, "routes/waves.yaml", declared)


def _only_dialects(made: Deployment, spoken: set[str]) -> None:
    """The dialects of versions and of the site's ERPs, and no others: each one compiled costs time at the start."""
    target = made.content / "translators"
    for folder in target.iterdir():
        if not folder.name.startswith(("api-", "units")):
            shutil.rmtree(folder)
    for name in spoken:
        shutil.copytree(shipped() / "translators" / name, target / name)
    shutil.copytree(shipped() / "translators/units", target / "units", dirs_exist_ok=True)


def _allow(made: Deployment, resource: str, fields: Sequence[str]) -> None:
    """Edited as text: read and written as YAML 1.1, the key `on` would come back as `true`."""
    path = made.content / "routes/contracts/v2.yaml"
    before, start, after = path.read_text("utf-8").partition(f"  {resource}:\n")
    path.write_text(before + start + after.replace("changeable: [", f"changeable: [{', '.join(fields)}, ", 1), "utf-8")


def _write(made: Deployment, name: str, document: Mapping[str, Any]) -> None:
    (made.content / name).write_text(yaml.safe_dump(dict(document), sort_keys=False), "utf-8")
