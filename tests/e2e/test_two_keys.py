"""A client whose key is changed is the same client: what it began under the old key goes on under the new one."""

from __future__ import annotations

import secrets
from uuid import uuid4

import yaml

from gateway.edge.api_keys import generate
from tests.e2e.calls import Plant, good, order
from tests.support.gateway import Deployment

CLIENTS = "routes/clients.yaml"


def with_second_key(made: Deployment, client: str, id_: str) -> Deployment:
    """The client has another key beside its own."""
    rows = yaml.safe_load((made.content / CLIENTS).read_text("utf-8"))["keys"]
    made.keys[id_], digest = generate(id_, secrets.token_bytes)
    first = next(row for row in rows if row["id"] == client)
    made.set(CLIENTS, keys=[*rows, first | {"id": id_, "client": client, "sha256": digest}])
    return made


def test_an_order_sent_again_under_the_clients_new_key_is_not_made_twice(own: Deployment) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    with with_second_key(own, "mes", "mes-2027").running() as running:
        first, again = [
            Plant(running.client(who), "1000").create("production-orders", order(), **key)
            for who in ("mes", "mes-2027")
        ]
        assert good(again, 201) == good(first, 201)
        assert again.headers["idempotent-replayed"] == "true"
        assert len(own.erps.legacy.since(0, entity="A_ProductionOrder_2", origin="api")) == 1
        shown = good(running.client("mes-2027").get(f"/api/v2/operations/{first.headers['x-op-id']}"))
        assert shown["state"] == "done"


def test_explain_knows_a_second_key_as_the_client_whose_it_is(own: Deployment) -> None:
    told = with_second_key(own, "mes", "mes-2027").cli(
        "explain", "GET", "/api/v2/plants/1000/production-orders", "--client", "mes-2027", "-o", "json"
    )
    assert '"client:mes"' in told.stdout, (told.stdout, told.stderr)
