"""A token says who calls only when everything about it holds; each case below is a way in that must stay shut."""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gateway.edge.tokens import MAX_TOKEN_BYTES, Caller, TokenVerifier
from gateway.errors import NotAuthenticated
from tests.unit.identity.mint import CLAIMS, ISS, NOW, FixedKeys, b64, issuer, jwk, private_key, raw_token, token

HEADER = {"alg": "ES256", "kid": "k1", "typ": "JWT"}


def verifier(**changes: Any) -> TokenVerifier:
    return TokenVerifier([issuer(FixedKeys(jwk("ES256")), **changes)])


async def reason(presented: str, guard: TokenVerifier | None = None, now: float = NOW) -> str:
    with pytest.raises(NotAuthenticated) as caught:
        await (guard or verifier()).verify(presented, now)
    assert len(presented) < 9 or presented not in repr(caught.value.args) + repr(caught.value.extra)
    return str(caught.value.extra["reason"])


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_good_token_says_who_calls(algorithm: str) -> None:
    guard = TokenVerifier([issuer(FixedKeys(jwk(algorithm)), algorithms=frozenset({algorithm}))])
    caller = await guard.verify(token(algorithm), NOW)
    assert caller == Caller("alice", "mes-7", "idp", ("auditor", "mes"), ("1000",), "jwt", NOW + 300)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["other", "changeover"]},
        {"exp": NOW + 300.5},
        {"exp": NOW - 29},
        {"nbf": NOW + 30},
        {"iat": None},
        {"roles": "mes"},
        {"roles": None, "plants": None},
        {"header": {"typ": None}},
        {"header": {"typ": "at+jwt"}},
        {"header": {"typ": "application/at+JWT"}},
        {"header": {"x5t": "abc", "vendor": 1}},
        {"header": {"kid": None}},
    ],
)
async def test_lawful_variations_are_accepted(changed: dict[str, Any]) -> None:
    assert (await verifier().verify(token(**changed), NOW)).subject == "alice"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"exp": None}, "missing-claim"),
        ({"exp": NOW - 30}, "expired"),
        ({"exp": str(NOW + 300)}, "bad-claim"),
        ({"exp": True}, "bad-claim"),
        ({"exp": [NOW]}, "bad-claim"),
        ({"exp": 10**400}, "bad-claim"),
        ({"nbf": NOW + 31}, "not-yet-valid"),
        ({"nbf": "0"}, "bad-claim"),
        ({"iat": NOW + 31}, "not-yet-valid"),
        ({"iat": "0"}, "bad-claim"),
        ({"iss": None}, "missing-claim"),
        ({"iss": "https://evil.example"}, "unknown-issuer"),
        ({"iss": [ISS]}, "unknown-issuer"),
        ({"aud": None}, "missing-claim"),
        ({"aud": "other"}, "bad-audience"),
        ({"aud": []}, "bad-audience"),
        ({"aud": {"changeover": 1}}, "bad-claim"),
        ({"sub": None}, "missing-claim"),
        ({"sub": 7}, "bad-claim"),
        ({"sub": ""}, "bad-claim"),
        ({"sub": "a\nb"}, "bad-claim"),
        ({"sub": "\ud800"}, "bad-claim"),
        ({"azp": None}, "missing-claim"),
        ({"roles": {"mes": True}}, "bad-claim"),
        ({"roles": [["mes"]]}, "bad-claim"),
        ({"plants": [1000]}, "bad-claim"),
        ({"header": {"kid": "k2"}}, "unknown-key"),
        ({"header": {"kid": "../../dev/null"}}, "unknown-key"),
        ({"header": {"kid": {"k": 1}}}, "bad-header"),
        ({"header": {"kid": 1}}, "bad-header"),
        ({"header": {"kid": ""}}, "bad-header"),
        ({"header": {"kid": "k" * 129}}, "bad-header"),
        ({"header": {"kid": "k1' OR 1=1"}}, "bad-header"),
        ({"header": {"jku": "https://evil.example/jwks"}}, "bad-header"),
        ({"header": {"x5u": "https://evil.example/cert"}}, "bad-header"),
        ({"header": {"jwk": jwk("ES256")}}, "bad-header"),
        ({"header": {"x5c": ["MIIB"]}}, "bad-header"),
        ({"header": {"crit": ["exp"], "exp": 1}}, "bad-header"),
        ({"header": {"crit": []}}, "bad-header"),
        ({"header": {"b64": False}}, "bad-header"),
        ({"header": {"typ": "dpop+jwt"}}, "bad-header"),
        ({"header": {"typ": 1}}, "bad-header"),
        ({"header": {"alg": None}}, "bad-algorithm"),
        ({"header": {"alg": "none"}}, "bad-algorithm"),
        ({"header": {"alg": "nOnE"}}, "bad-algorithm"),
        ({"header": {"alg": "HS256"}}, "bad-algorithm"),
        ({"header": {"alg": "ES512"}}, "bad-algorithm"),
        ({"header": {"alg": ["ES256"]}}, "bad-algorithm"),
        ({"header": {"alg": "RS256"}}, "bad-algorithm"),
    ],
)
async def test_a_token_with_something_wrong_is_refused(changed: dict[str, Any], expected: str) -> None:
    assert await reason(token(**changed)) == expected


def both(header: bytes, payload: bytes) -> str:
    return raw_token(header, payload)


GOOD_HEADER, GOOD_CLAIMS = json.dumps(HEADER).encode(), json.dumps(CLAIMS).encode()


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        (GOOD_HEADER, GOOD_CLAIMS[:-1] + b', "sub": "admin"}'),
        (GOOD_HEADER[:-1] + b', "alg": "ES256"}', GOOD_CLAIMS),
        (GOOD_HEADER, GOOD_CLAIMS[:-1] + b', "x": NaN}'),
        (GOOD_HEADER, GOOD_CLAIMS[:-1] + b', "x": Infinity}'),
        (GOOD_HEADER, b"[]"),
        (b"[]", GOOD_CLAIMS),
        (GOOD_HEADER, b"\xef\xbb\xbf" + GOOD_CLAIMS),
        (GOOD_HEADER, GOOD_CLAIMS.replace(b"alice", b"\xff")),
        (GOOD_HEADER, b'{"a":' + b"[" * 5000),
        (GOOD_HEADER, GOOD_CLAIMS + b"x"),
    ],
)
async def test_json_that_can_be_read_in_two_ways_is_refused(header: bytes, payload: bytes) -> None:
    assert await reason(both(header, payload)) == "malformed"


async def test_a_date_beyond_all_numbers_is_refused() -> None:
    payload = GOOD_CLAIMS.replace(str(NOW + 300).encode(), b"1e400")
    assert await reason(both(GOOD_HEADER, payload)) == "bad-claim"


@pytest.mark.parametrize(
    "presented",
    [
        "",
        "a",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "..",
        token() + ".",
        token() + "=",
        " " + token(),
        token().replace(".", ".."),
        "é.é.é",
    ],
)
async def test_what_is_no_compact_token_is_refused(presented: str) -> None:
    assert await reason(presented) == "malformed" or presented.endswith("=")


async def test_a_token_over_eight_kibibytes_is_refused_before_it_is_decoded() -> None:
    assert await reason("x" * (MAX_TOKEN_BYTES + 1)) == "too-large"
    assert await reason("x" * 1_000_000) == "too-large"


async def test_the_public_key_used_as_a_secret_signs_nothing() -> None:
    public = private_key("ES256", "k1").public_key()
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{b64(json.dumps(HEADER | {'alg': 'HS256'}).encode())}.{b64(GOOD_CLAIMS)}"
    forged = f"{signed}.{b64(hmac.digest(pem, signed.encode(), 'sha256'))}"
    assert await reason(forged) == "bad-algorithm"


@pytest.mark.parametrize("signature", ["AAAA", b64(bytes(64)), b64(sha256(b"x").digest() * 2)])
async def test_a_signature_that_does_not_hold_is_refused(signature: str) -> None:
    header, payload, _ = token().split(".")
    assert await reason(f"{header}.{payload}.{signature}") == "bad-signature"


async def test_claims_changed_after_signing_are_refused() -> None:
    header, _, signature = token().split(".")
    assert (
        await reason(f"{header}.{b64(json.dumps(CLAIMS | {'sub': 'admin'}).encode())}.{signature}") == "bad-signature"
    )


async def test_another_key_under_the_same_name_is_refused() -> None:
    guard = TokenVerifier([issuer(FixedKeys(jwk("ES256", "other", kid="k1")))])
    assert await reason(token(), guard) == "bad-signature"


async def test_an_algorithm_the_issuer_does_not_use_is_refused_even_with_its_key() -> None:
    guard = TokenVerifier([issuer(FixedKeys(jwk("ES256"), jwk("RS256", "k2")))])
    assert await reason(token("RS256", "k2"), guard) == "bad-algorithm"


async def test_a_key_signs_only_with_the_algorithm_it_is_for() -> None:
    guard = TokenVerifier([issuer(FixedKeys(jwk("RS256")), algorithms=frozenset({"RS256", "ES256"}))])
    assert await reason(token("ES256"), guard) == "bad-algorithm"


async def test_a_token_without_a_key_id_is_refused_when_there_are_two_keys() -> None:
    guard = TokenVerifier([issuer(FixedKeys(jwk("ES256"), jwk("ES256", "k2")))])
    assert await reason(token(header={"kid": None}), guard) == "unknown-key"


async def test_one_issuers_key_does_not_sign_for_another() -> None:
    other = issuer(FixedKeys(jwk("ES256", "theirs", kid="k1")), name="b", issuer="https://b.example")
    guard = TokenVerifier([issuer(FixedKeys(jwk("ES256"))), other])
    assert await reason(token(iss="https://b.example"), guard) == "bad-signature"


async def test_claims_are_found_by_name_and_by_path() -> None:
    guard = verifier(roles_claim="realm_access.roles", plants_claim="https://x.example/plants")
    presented = token(**{"realm_access": {"roles": ["r"]}, "https://x.example/plants": ["*"]})
    caller = await guard.verify(presented, NOW)
    assert (caller.roles, caller.plants) == (("r",), ("*",))


async def test_a_remembered_token_is_still_checked_against_the_time() -> None:
    guard = verifier()
    presented = token(nbf=NOW)
    await guard.verify(presented, NOW)
    assert await reason(presented, guard, NOW + 330) == "expired"
    assert await reason(presented, guard, NOW - 31) == "not-yet-valid"


async def test_a_remembered_token_dies_with_its_key() -> None:
    keys = FixedKeys(jwk("ES256"))
    guard = TokenVerifier([issuer(keys)])
    presented = token()
    await guard.verify(presented, NOW)
    keys.hold(jwk("ES256", "k2"))
    assert await reason(presented, guard) == "unknown-key"
    keys.hold(jwk("ES256", "other", kid="k1"))
    assert await reason(presented, guard) == "bad-signature"


async def test_the_memory_of_tokens_is_bounded_and_the_oldest_goes_first() -> None:
    guard = TokenVerifier([issuer(FixedKeys(jwk("ES256")))], cache_size=2)
    presented = [token(sub=name) for name in "abc"]
    for one in presented:
        await guard.verify(one, NOW)
    assert [sha256(one.encode()).digest() in guard._seen for one in presented] == [False, True, True]


@pytest.mark.parametrize(
    "changes",
    [
        {"algorithms": frozenset()},
        {"algorithms": frozenset({"HS256"})},
        {"algorithms": frozenset({"none"})},
        {"audiences": frozenset()},
        {"leeway_s": 61},
        {"leeway_s": -1},
        {"issuer": ""},
    ],
)
def test_an_issuer_that_would_weaken_the_rules_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="issuer idp"):
        issuer(FixedKeys(jwk("ES256")), **changes)


def test_two_issuers_of_one_name_are_refused() -> None:
    one = issuer(FixedKeys(jwk("ES256")))
    with pytest.raises(ValueError, match="two issuers"):
        TokenVerifier([one, one])


def test_only_one_module_verifies_signatures() -> None:
    root = Path(__file__).resolve().parents[3] / "gateway"
    users = {
        path.name
        for path in root.rglob("*.py")
        for line in path.read_text().splitlines()
        if line.startswith(
            ("from joserfc.jws", "from joserfc.jwt", "from joserfc import", "import joserfc", "import jwt")
        )
    }
    assert users == {"tokens.py"}
