"""`python -m gateway.sim.erps legacy|cloud|d365 --port N --seed S`: one simulated ERP on a port."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

from gateway.sim.erps.apps import ErpApp
from gateway.sim.erps.config import ErpConfig, wall_clock
from gateway.sim.erps.ledger import Clock
from gateway.sim.erps.serve import server_of


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    app = ErpApp(_config(given), given.state)
    print(f"{given.face} ERP on http://{given.host}:{given.port}", file=sys.stderr)  # noqa: T201 - a command
    server_of(app, given.host, given.port).run()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gateway.sim.erps", description="A simulated, misbehaving ERP.")
    parser.add_argument("face", choices=["legacy", "cloud", "d365"])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="", help="name in the truth log")
    parser.add_argument("--auth", action="append", default=[], metavar="basic:USER:PASSWORD|oauth:ID:SECRET")
    parser.add_argument("--clock", help="start of the ERP's clock, ISO 8601 in UTC; it runs from there")
    parser.add_argument("--sap-client", default="100")
    parser.add_argument("--page-size", type=int, default=100)
    parser.add_argument("--orders", type=int, default=12)
    parser.add_argument("--purchases", type=int, default=6)
    parser.add_argument("--dedup-window-s", type=int)
    parser.add_argument(
        "--state", type=Path, metavar="FILE", help="keep what is committed, and find it again at the start"
    )
    parser.add_argument("--throttle", metavar="REQUESTS/WINDOW_S", help="answer 429 above so many requests in a window")
    return parser


def _config(given: argparse.Namespace) -> ErpConfig:
    requests, _, window_s = (given.throttle or "0").partition("/")
    config = ErpConfig(
        face=given.face, name=given.name, seed=given.seed, clock=_clock(given.clock), sap_client=given.sap_client,
        page_size=given.page_size, orders=given.orders, purchases=given.purchases,
        dedup_window_s=given.dedup_window_s, throttle_requests=int(requests), throttle_window_s=int(window_s or 300),
    )  # fmt: skip
    return _with_logons(config, given.auth)


def _with_logons(config: ErpConfig, logons: list[str]) -> ErpConfig:
    users: dict[str, str] = {}
    clients: dict[str, str] = {}
    for logon in logons:
        kind, name, secret = logon.split(":", 2)
        {"basic": users, "oauth": clients}[kind][name] = secret
    return replace(config, users=users, clients=clients)


def _clock(start: str | None) -> Clock:
    if not start:
        return wall_clock
    first, began = datetime.fromisoformat(start).replace(tzinfo=UTC), monotonic()
    return lambda: first + timedelta(seconds=monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
