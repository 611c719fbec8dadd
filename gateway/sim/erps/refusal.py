"""How an ERP says no."""

from __future__ import annotations


class ErpRefusal(Exception):
    """A request the ERP does not carry out.

    Takes: the HTTP status, the ERP's message code, the sentence, and the wire name of the property it is about.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        target: str = "",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.headers = headers


NOT_FOUND = "/IWBEP/CX_MGW_RESOURCE_NOT_FOUND"
BAD_REQUEST = "/IWBEP/CX_MGW_BUSI_EXCEPTION"
CSRF = "/IWFND/CM_CSRF"


def business(code: str, message: str, target: str = "") -> ErpRefusal:
    """A rule of the business was broken: 400 with the message class and number of the rule."""
    return ErpRefusal(400, code, message, target)


def bad_request(message: str, target: str = "") -> ErpRefusal:
    return ErpRefusal(400, BAD_REQUEST, message, target)


def not_found(message: str) -> ErpRefusal:
    return ErpRefusal(404, NOT_FOUND, message)


def not_allowed(message: str) -> ErpRefusal:
    return ErpRefusal(405, BAD_REQUEST, message)


def locked(face: str, document: str, user: str) -> ErpRefusal:
    """Somebody has the document open: 423 from the SAP faces, 409 from D365."""
    status = 409 if face == "d365" else 423
    return ErpRefusal(status, "CO/469", f"{document} is already being processed by user {user}")
