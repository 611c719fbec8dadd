"""Header hygiene: what is stripped, what is refused, what passes to an ERP and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.headers import Headers, clean
from gateway.errors import Malformed

NAMES = st.from_regex(rb"[a-z][a-z0-9-]{0,20}", fullmatch=True)
VALUES = st.from_regex(rb"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)


def test_ordinary_headers_pass_and_are_found_by_name() -> None:
    headers = clean([(b"host", b"gateway.example"), (b"authorization", b"Bearer x")])
    assert headers.get("authorization") == "Bearer x"
    assert headers.get("absent") is None
    assert "host" in headers
    assert dict(headers.items()) == {"host": "gateway.example", "authorization": "Bearer x"}


def test_repeated_list_headers_are_joined() -> None:
    assert clean([(b"accept", b"text/html"), (b"accept", b"text/plain")]).get("accept") == "text/html, text/plain"


@pytest.mark.parametrize("name", [b"authorization", b"x-plant", b"x-erp-plant", b"idempotency-key", b"content-type"])
def test_a_singleton_given_twice_is_refused(name: bytes) -> None:
    with pytest.raises(Malformed, match="given twice"):
        clean([(name, b"a"), (name, b"a")])


@pytest.mark.parametrize(
    "name",
    [
        b"connection",
        b"keep-alive",
        b"te",
        b"trailer",
        b"upgrade",
        b"http2-settings",
        b"transfer-encoding",
        b"proxy-authorization",
        b"proxy-authenticate",
        b"proxy-connection",
        b"x-http-method-override",
        b"x-changeover-side",
        b"x-changeover-",
        b"forwarded",
        b"x-forwarded-for",
        b"x-real-ip",
        b"x-original-url",
    ],
)
def test_hop_by_hop_internal_and_forwarding_headers_are_gone(name: bytes) -> None:
    assert len(clean([(name, b"marker")])) == 0


def test_forwarding_headers_of_a_trusted_proxy_stay_but_internal_ones_do_not() -> None:
    raw = [
        (b"x-forwarded-for", b"10.0.0.1"),
        (b"x-changeover-side", b"cloud"),
        (b"te", b"x"),
        (b"connection", b"close"),
    ]
    assert dict(clean(raw, from_trusted_proxy=True).items()) == {"x-forwarded-for": "10.0.0.1"}


def test_what_connection_names_is_gone_wherever_it_stands() -> None:
    raw = [(b"x-before", b"1"), (b"connection", b"X-Before , close"), (b"connection", b"x-after"), (b"x-after", b"1")]
    assert len(clean(raw)) == 0


@pytest.mark.parametrize(
    "named",
    [
        "Authorization",
        "idempotency-key",
        "X-Plant",
        "x-erp-plant",
        "Forwarded",
        "X-Forwarded-For",
        "Host",
        "If-Match",
        "Content-Length",
        "Content-Type",
        "Cookie",
        "close, authorization",
        "keep-alive,X-PLANT",
        "traceparent",
    ],
)
def test_connection_may_not_name_a_header_that_decides_something(named: str) -> None:
    with pytest.raises(Malformed, match="Connection may not name"):
        clean([(b"x-a", b"1"), (b"connection", named.encode())])


@given(st.lists(st.tuples(NAMES, VALUES), max_size=20), st.lists(NAMES, max_size=4))
def test_nothing_that_connection_names_ever_survives(raw: list[tuple[bytes, bytes]], named: list[bytes]) -> None:
    try:
        headers = clean([*raw, (b"connection", b", ".join(named))])
    except Malformed:
        return
    assert not {name.decode() for name in named} & set(headers)
    assert not any(name.startswith("x-changeover-") for name in headers)


def test_headers_compare_by_value_and_do_not_show_secrets() -> None:
    assert Headers({"a": "1"}) == Headers({"a": "1"})
    assert hash(Headers({"a": "1"})) == hash(Headers({"a": "1"}))
    assert "hunter2" not in repr(Headers({"authorization": "hunter2"}))
