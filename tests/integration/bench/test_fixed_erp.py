"""nginx as the fixed ERP of the bench, on real sockets."""

from __future__ import annotations

from pathlib import Path

from tests.bench.answers import FixedErp
from tests.bench.load import Call, ask
from tests.bench.served import created, fixed_erp
from tests.support.packages import NGINX, need
from tests.support.parts import skip_if_missing, wait_until

FILES = 1024
POST = Call("POST", "/sap/opu/orders", (), b'{"a":1}')
AWKWARD = FixedErp(
    b"{}", (b"""{"a":"it's $5 \\" or \\\\","n":\"""", b"""","b":'""" + "ä€x".encode() * 1500 + b"', ", b"}"), {}
)


def test_nginx_as_a_fixed_erp_answers_byte_for_byte_and_gives_each_create_a_number_of_its_own(tmp_path: Path) -> None:
    with skip_if_missing():
        need(NGINX)
    with fixed_erp(tmp_path, AWKWARD, FILES) as erp:
        found = [ask(erp.port, POST) for _ in range(3)]
        token = ask(erp.port, Call("POST", "/oauth/token", (), b"grant_type=client_credentials"))
        read = ask(erp.port, Call("GET", "/", ()))
        wait_until(lambda: created(erp) == 3, within_s=5, what="the log of created documents")
    assert [status for status, _, _ in found] == [201] * 3
    assert all(int(headers["content-length"]) == len(body) for _, headers, body in found)
    assert len({AWKWARD.number_in(body) for _, _, body in found}) == 3
    assert (token[0], b"access_token" in token[2]) == (200, True)
    assert (read[0], read[2]) == (200, b"{}")
