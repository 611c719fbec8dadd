"""Every error has a row, a page and a shape; nothing that is told to a caller says more than it should."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from gateway import errors
from gateway.edge.rejection import STATUS, render_problem
from gateway.problem import PROBLEMS, codes, problem_of, rendered, title_of


def every(cls: type[errors.GatewayError] = errors.GatewayError) -> Iterator[type[errors.GatewayError]]:
    for inner in cls.__subclasses__():
        if inner.__module__ == errors.__name__:
            yield inner
            yield from every(inner)


GROUPS = {errors.Refused, errors.Unavailable, errors.Doubtful, errors.Broken}
LEAVES = [cls for cls in every() if cls not in GROUPS]
EACH = pytest.mark.parametrize("cls", LEAVES, ids=lambda cls: cls.code)
CLIENT, SERVER = range(400, 500), range(500, 600)


def told(error: Exception) -> tuple[int, dict[str, str], dict[str, object]]:
    status, headers, body = rendered(error, "request-0001", "https://gateway.example")
    return status, dict(headers), json.loads(body)


@EACH
def test_every_error_has_a_row_of_its_own(cls: type[errors.GatewayError]) -> None:
    assert cls in PROBLEMS
    assert PROBLEMS[cls].caller.endswith(".")
    assert PROBLEMS[cls].operator.endswith(".")


def test_the_table_has_no_row_for_an_error_that_is_none() -> None:
    assert set(PROBLEMS) == set(LEAVES)


def test_every_code_is_told_apart() -> None:
    assert len({cls.code for cls in LEAVES}) == len(LEAVES)
    assert set(codes()) >= {cls.code for cls in LEAVES}


@EACH
def test_what_the_caller_can_mend_is_4xx_and_what_it_cannot_is_5xx(cls: type[errors.GatewayError]) -> None:
    status = PROBLEMS[cls].status
    if issubclass(cls, errors.Refused):
        assert status in CLIENT
    elif cls is not errors.Overloaded:  # 429 where it is the caller's own rate
        assert status in SERVER


@EACH
def test_a_problem_document_has_the_members_of_rfc_9457(cls: type[errors.GatewayError]) -> None:
    status, headers, body = told(cls("Something.", field="a.b"))
    assert headers["content-type"] == "application/problem+json"
    assert body["type"] == f"https://gateway.example/problems/{cls.code}"
    assert (body["status"], body["detail"], body["field"]) == (status, "Something.", "a.b")
    assert body["title"] == title_of(cls)
    assert body["instance"] == "urn:request:request-0001"
    assert body["code"] == cls.code


@EACH
def test_only_what_waiting_helps_is_called_retryable_and_only_what_is_in_doubt_is_called_so(
    cls: type[errors.GatewayError],
) -> None:
    _, _, body = told(cls("Something."))
    assert body.get("retryable", False) is issubclass(cls, errors.Unavailable)
    assert body.get("in_doubt", False) is issubclass(cls, errors.Doubtful)


def test_no_extra_member_can_overwrite_one_of_the_document() -> None:
    extra = {"type": "x", "title": "x", "status": 200, "instance": "x"}
    status, _, body = told(errors.Invalid("Something.", **extra))
    assert (status, body["status"], body["title"]) == (422, 422, title_of(errors.Invalid))


def test_an_error_nobody_knows_says_nothing_of_itself() -> None:
    status, _, body = told(KeyError("password=hunter2"))
    assert (status, body["code"]) == (500, "internal")
    assert "hunter2" not in json.dumps(body)


@pytest.mark.parametrize(("given", "shown"), [(0.2, "1"), (1, "1"), (1.6, "2"), (30, "30"), (None, None)])
def test_retry_after_is_whole_seconds_and_never_zero(given: float | None, shown: str | None) -> None:
    _, headers, body = told(errors.ErpBusy("Later.", retry_after_s=given))
    assert headers.get("retry-after") == shown
    assert "retry_after_s" not in body


def test_an_erp_that_is_down_always_says_when_to_try_again() -> None:
    assert told(errors.ErpDown("Gone."))[1]["retry-after"] == "1"


def test_the_gateways_own_limit_is_503_and_the_callers_is_429() -> None:
    assert told(errors.Overloaded("No room."))[0] == 503
    assert told(errors.Overloaded("Too fast.", rate_class="bulk"))[0] == 429


def test_a_missing_credential_and_a_bad_one_are_told_apart_as_rfc_6750_says() -> None:
    missing, bad = (
        told(errors.NotAuthenticated("No.", reason=r))[1]["www-authenticate"] for r in ("missing", "expired")
    )
    assert missing == 'Bearer realm="changeover"'
    assert bad == 'Bearer realm="changeover", error="invalid_token"'


def test_a_method_that_is_not_known_names_those_that_are_in_the_header() -> None:
    _, headers, body = told(errors.MethodNotAllowed("No.", allow=["GET", "HEAD"]))
    assert headers["allow"] == "GET, HEAD"
    assert "allow" not in body


def test_an_error_below_a_known_one_is_told_as_that_one() -> None:
    class Finer(errors.StaleEtag):
        """A finer one."""

    assert problem_of(Finer("x")) is PROBLEMS[errors.StaleEtag]
    assert told(Finer("x"))[2]["type"] == "https://gateway.example/problems/stale-etag"


@pytest.mark.parametrize("cls", list(every()), ids=lambda cls: cls.code)
def test_whatever_is_told_has_a_page(cls: type[errors.GatewayError]) -> None:
    _, _, body = told(cls("Something."))
    assert str(body["type"]).rpartition("/")[2] in codes()


@pytest.mark.parametrize("cls", [errors.Malformed, *STATUS], ids=lambda cls: cls.code)
def test_what_never_became_a_request_has_the_same_status_in_both_doors(cls: type[errors.GatewayError]) -> None:
    assert render_problem(cls("Too much."), "request-0001")[0] == told(cls("Too much."))[0]
