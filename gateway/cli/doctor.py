"""`changeover doctor`: is this machine and this deployment fit to serve?"""

from __future__ import annotations

import asyncio
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import typer

from gateway.assembly import policy_of
from gateway.cli.content import Database, Folder
from gateway.cli.output import Exit, Format, Output, show
from gateway.connectors.factory import address, make_connector, secret
from gateway.connectors.port import Connector
from gateway.control.content import Content, load_folder
from gateway.core.deployment import Erp
from gateway.errors import ContentError, GatewayError, SecretMissing, StoreUnusable
from gateway.policy.cache import DecisionCache
from gateway.protocols.port import ErpRefusal
from gateway.protocols.shape import shape_of
from gateway.settings import Settings, settings, shipped
from gateway.store.engine import Store
from gateway.store.schema import at_head
from gateway.store.upkeep import demanded
from gateway.store.waves import running

_FEW_FILES = 4096


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `state` is ok, warning or bad; `fix` says what to do."""

    check: str
    state: str
    evidence: str
    fix: str = ""


def doctor(content: Folder = None, database: Database = None, output: Output = Format.TABLE) -> None:
    """Check machine, content, secrets, store, policy and ERPs."""
    made = settings(content=content, database_url=database)
    findings = [*_machine(made), *_content(made)]
    show([asdict(f) for f in findings], output)
    if any(f.state == "bad" for f in findings):
        raise typer.Exit(Exit.ERROR)


def _machine(made: Settings) -> Iterator[Finding]:
    version = platform.python_version()
    good = (3, 11) <= sys.version_info[:2] < (3, 14)
    yield Finding("python", "ok" if good else "bad", version, "" if good else "use Python 3.11 to 3.13")
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = files < _FEW_FILES
    yield Finding("open files", "warning" if few else "ok", str(files), "raise LimitNOFILE to 65536" if few else "")
    if made.embedded_policies:
        yield _embedded_engine()
    year = time.gmtime().tm_year
    yield Finding(
        "clock",
        "ok" if year >= 2026 else "bad",
        time.strftime("%FT%TZ", time.gmtime()),
        "" if year >= 2026 else "set the clock",
    )


def _embedded_engine() -> Finding:
    try:
        import regorus  # noqa: F401, PLC0415  # whether it can be imported is the check
    except ImportError:
        return Finding("policy engine", "bad", "no regorus on this platform", "set CHANGEOVER_POLICY_ENGINE=opa")
    return Finding("policy engine", "ok", "regorus")


def _content(made: Settings) -> Iterator[Finding]:
    folder = made.content or shipped()
    try:
        _, content = load_folder(folder, try_policies=made.embedded_policies)
    except ContentError as err:
        yield from (Finding("content", "bad", str(m), "mend the file") for m in err.mistakes)
        return
    yield Finding(
        "content",
        "ok",
        f"{content.revision}: {len(content.contracts)} versions, {len(content.erps)} ERPs, {len(content.cells)} cells",
    )
    yield Finding("policies", "ok", content.bundle.revision[:16])
    if not made.embedded_policies:
        yield asyncio.run(_opa_server(made, content))
    yield from _secrets(content)
    yield from asyncio.run(_store(made, content))
    yield from asyncio.run(_erps(content))


async def _opa_server(made: Settings, content: Content) -> Finding:
    policy = policy_of(made, content.bundle, DecisionCache(1))
    try:
        await policy.probe()
    finally:
        await policy.close()
    if policy.trouble is not None:
        return Finding("policy engine", "bad", policy.trouble, f"look at the OPA server {made.opa_url} and its bundle")
    return Finding("policy engine", "ok", f"OPA server {made.opa_url}, bundle {policy.revision}")


def _secrets(content: Content) -> Iterator[Finding]:
    named = [(f"secret of {erp.erp}", erp.auth.secret) for erp in content.erps.values() if erp.auth.secret]
    named += [(f"key of {key.id}", key.sha256) for key in content.clients.keys if ":" in key.sha256]
    for check, reference in named:
        try:
            secret(reference)
            yield Finding(check, "ok", reference)
        except SecretMissing as err:
            yield Finding(check, "bad", str(err), f"set {reference}")
    for erp in content.erps.values():
        if _value(lambda erp=erp: address(erp.base_url)).startswith("http://") and "127.0.0.1" not in erp.base_url:  # type: ignore[misc]
            yield Finding(f"transport to {erp.erp}", "warning", erp.base_url, "use https")


def _value(read: Callable[[], str]) -> str:
    try:
        return read()
    except SecretMissing:
        return ""


async def _store(made: Settings, content: Content) -> list[Finding]:
    store = Store(made.database_url)
    try:
        have, newest = await at_head(store, shipped() / "migrations")
        if have is None:
            return [Finding("store", "warning", "no schema yet", "the first start makes it")]
        found = [Finding("store", "ok" if have == newest else "warning", f"schema {have} of {newest}")]
        if have != newest:
            return found
        now = await running(store)
        if now is not None and now.content != content.revision:
            found.append(
                Finding(
                    "content in force", "warning", f"{now.content}, the folder is {content.revision}", "changeover plan"
                )
            )
        if (wanted := await demanded(store)) is not None:
            found.append(Finding("reconciliation", "warning", wanted, "reconcile all plants before the next flip"))
        return found
    except (StoreUnusable, OSError) as err:
        return [Finding("store", "bad", str(err), "check CHANGEOVER_DATABASE_URL")]
    finally:
        await store.close()


async def _erps(content: Content) -> list[Finding]:
    return [await _erp(content, erp) for erp in content.erps.values()]


async def _erp(content: Content, erp: Erp) -> Finding:
    check = f"ERP {erp.erp}"
    try:
        connector = make_connector(erp, content.dialects[erp.dialect].file.protocol or "")
    except SecretMissing as err:
        return Finding(check, "bad", str(err), f"set it for {erp.erp}")
    try:
        return Finding(check, "ok", await _answer(connector, content, erp))
    except ErpRefusal as err:
        return Finding(check, "bad", err.message, "check the service account")
    except GatewayError as err:
        return Finding(check, "bad", err.detail, "check address, network and account")
    finally:
        await connector.close()


async def _answer(connector: Connector, content: Content, erp: Erp) -> str:
    from gateway.protocols.port import Query  # noqa: PLC0415  # only here

    dialect = content.dialects[erp.dialect]
    translation: Any = dialect.of("item", "*") or next(iter(dialect.translations.values()))
    page = await connector.search(shape_of(translation.plan), Query(limit=1), asyncio.get_running_loop().time() + 5)
    return f"answers; {len(page.documents)} {translation.plan.spec.name} read"
