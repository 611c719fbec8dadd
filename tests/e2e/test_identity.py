"""Who may call: without a credential that holds, and without a yes of the policy, nothing reaches an ERP."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator

import pytest

from tests.e2e.calls import Plant, good, order, purchase_line, refused
from tests.support.gateway import RunningGateway
from tests.support.simulated import Pair
from tests.unit.identity import mint


@pytest.fixture(autouse=True)
def no_erp_hears_of_it(erps: Pair) -> Iterator[None]:
    with erps.untouched():
        yield


def bearer(gateway: RunningGateway, token: str, plant: str = "1000") -> Plant:
    return Plant(gateway.client(None, Authorization=f"Bearer {token}"), plant)


def test_a_caller_without_a_credential_is_told_how_to_bring_one(gateway: RunningGateway) -> None:
    answer = Plant(gateway.client(None), "1000").ordered()
    assert refused(answer, 401, "not-authenticated")["reason"] == "missing"
    assert answer.headers["www-authenticate"] == 'Bearer realm="changeover"'


def test_a_token_of_the_identity_provider_is_believed(gateway: RunningGateway) -> None:
    good(bearer(gateway, gateway.token()).listed("production-orders"))


def test_a_token_that_does_not_hold_is_refused_and_never_repeated_in_the_answer(gateway: RunningGateway) -> None:
    now = int(time.time())
    mint.private_key("ES256", "stranger")
    forged_head = mint.b64(json.dumps({"alg": "none", "typ": "JWT"}).encode())
    claims = gateway.token().split(".")[1]
    header, _, signature = gateway.token().split(".")
    admin = mint.b64(json.dumps(json.loads(_decoded(claims)) | {"roles": ["admin"]}).encode())
    tokens = {
        "expired": gateway.token(exp=now - 120),
        "not yet": gateway.token(nbf=now + 600),
        "another audience": gateway.token(aud="payroll"),
        "another issuer": gateway.token(iss="https://evil.example"),
        "signed by a stranger": gateway.token("stranger"),
        "with the name of our key": mint.token("ES256", "stranger", {"kid": "k1"}, iat=now, exp=now + 300),
        "unsigned": f"{forged_head}.{claims}.",
        "with other roles": f"{header}.{admin}.{signature}",
        "garbage": "abc",
    }
    for what, token in tokens.items():
        answer = bearer(gateway, token).ordered()
        assert answer.status_code == 401, what
        refused(answer, 401, "not-authenticated")
        assert answer.headers["www-authenticate"].startswith('Bearer realm="changeover"'), what
        assert token not in answer.text


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize("key", ["co_mes_" + "x" * 43, "co_nobody_" + "x" * 43, "secret", "co_mes_"])
def test_a_key_nobody_was_given_is_refused(gateway: RunningGateway, key: str) -> None:
    answer = Plant(gateway.client(None, **{"X-API-Key": key}), "1000").ordered()
    refused(answer, 401, "not-authenticated")


@pytest.mark.parametrize("authorization", ["Bearer {token}", "Bearer forged", "Basic bWVzOnNlY3JldA==", "0"])
def test_a_key_and_a_token_together_are_refused_whichever_of_them_holds(
    gateway: RunningGateway, authorization: str
) -> None:
    both = authorization.format(token=gateway.token())
    for key in ("mes", None):
        more = {} if key else {"X-API-Key": "co_nobody_" + "x" * 43}
        answer = Plant(gateway.client(key, Authorization=both, **more), "1000").ordered()
        assert refused(answer, 401, "not-authenticated")["reason"] == "two-credentials"
        assert answer.headers["www-authenticate"] == 'Bearer realm="changeover"'


def test_a_caller_of_one_plant_may_not_touch_another(gateway: RunningGateway) -> None:
    mine = Plant(gateway.client("hamburg"), "1000")
    good(mine.listed("production-orders"))
    for plant in ("2000", "3000"):
        assert refused(mine.at(plant).ordered(), 403, "denied")["reasons"] == ["plant-not-granted"]
        refused(mine.at(plant).listed("production-orders"), 403, "denied")


def test_a_role_that_does_not_grant_the_verb_is_told_so(gateway: RunningGateway) -> None:
    assert refused(Plant(gateway.client("wms"), "1000").ordered(), 403, "denied")["reasons"] == ["no-role-grants-this"]
    auditor = Plant(gateway.client("auditor"), "1000")
    good(auditor.listed("production-orders"))
    assert "no-role-grants-this" in refused(auditor.ordered(), 403, "denied")["reasons"]


def test_a_caller_who_may_not_see_a_plant_is_not_told_whether_it_exists(gateway: RunningGateway) -> None:
    mine = Plant(gateway.client("hamburg"), "4000")
    refused(mine.listed("production-orders"), 403, "denied")


def test_an_order_over_the_buyers_limit_needs_a_senior(gateway: RunningGateway) -> None:
    buyer = Plant(gateway.client("planning"), "1000")
    dear = [purchase_line("1000", quantity={"value": "100", "unit": "H87"}, price={"amount": "101.00", "per": "1"})]
    assert refused(buyer.bought(lines=dear), 403, "denied")["reasons"] == ["needs-buyer-senior"]


def test_a_line_for_a_plant_that_was_not_granted_denies_the_whole_document(gateway: RunningGateway) -> None:
    token = gateway.token(roles=["buyer"], plants=["1000"])
    lines = [purchase_line("1000"), purchase_line("2000", "20")]
    assert "plant-not-granted" in refused(bearer(gateway, token).bought(lines=lines), 403, "denied")["reasons"]


def test_roles_in_a_header_count_for_nothing(gateway: RunningGateway) -> None:
    headers = {"X-Roles": "admin", "X-Plants": "*", "X-Changeover-Subject": "root", "X-Forwarded-User": "root"}
    refused(Plant(gateway.client("wms", **headers), "1000").create("production-orders", order()), 403, "denied")
