"""Stage: is this a request at all? Size, path, headers, deadline; and which contract it is under."""

from __future__ import annotations

from gateway.core.contracts import Contract
from gateway.edge.body import read_body
from gateway.edge.headers import Headers, clean
from gateway.edge.paths import parse_target
from gateway.edge.rejection import REQUEST_ID
from gateway.errors import TooLarge, UnknownResource, UnknownVersion, VersionGone
from gateway.pipeline.exchange import Clock, Exchange, filled

_PREFIX = "api"


async def admit(x: Exchange) -> Exchange:
    """Read the request to its end, within its limits.

    Raises: Malformed, TooLarge, UnknownVersion, VersionGone.
    """
    headers = clean(x.raw_headers)
    target = parse_target(x.raw_path, x.query_string)
    request_id = x.request_id or request_id_of(headers.get("x-request-id"), x.clock)
    if len(target.segments) < 2 or target.segments[0] != _PREFIX:  # noqa: PLR2004  # /api/<version>
        raise UnknownResource("There is nothing here. APIs stand under /api/<version>.")
    version = target.segments[1]
    contract = x.in_force.contract(version)
    if contract is None:
        known = sorted(x.in_force.content.contracts)
        raise UnknownVersion(
            f"There is no version {version!r} of this API. Versions: {', '.join(known)}.", versions=known
        )
    deadline_s = x.clock.steady() + contract.limits.deadline_s
    if contract.sunset_at is not None and x.clock.wall() >= contract.sunset_at.timestamp():
        raise VersionGone(
            f"Version {version} was switched off at {contract.sunset_at:%Y-%m-%d}.", successor=contract.successor
        )
    body = await _body(x, contract, headers)
    return filled(
        x,
        headers=headers,
        target=target,
        request_id=request_id,
        contract=contract,
        deadline_s=deadline_s,
        body=body,
    )


def request_id_of(given: str | None, clock: Clock) -> str:
    """The caller's own request id where it is a sound one, else a new one."""
    return given if given is not None and REQUEST_ID.fullmatch(given) else clock.new_id()


async def _body(x: Exchange, contract: Contract, headers: Headers) -> bytes:
    most = min(contract.limits.body_bytes, x.limits.max_body_bytes)
    length = headers.get("content-length")
    declared = int(length) if length is not None else None
    if declared is not None and declared > most:
        raise TooLarge(f"The body has {declared} bytes; this version takes {most}.", limit_bytes=most)
    return await read_body(x.receive, x.limits, declared, most_bytes=most)
