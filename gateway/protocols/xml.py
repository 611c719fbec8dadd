"""A strict XML reader for what ERPs answer: `$metadata`, SOAP (pure)."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree  # type: ignore[import-untyped]  # lxml ships no types

from gateway.errors import Malformed, TooLarge

MAX_BYTES = 8 * 1024 * 1024
_DOCTYPE = re.compile(rb"<!\s*DOCTYPE", re.IGNORECASE)


def loads(data: bytes, *, max_bytes: int = MAX_BYTES) -> Any:
    """Read a document.

    Gives:  its root, an lxml element, without comments and processing instructions.
    Raises: TooLarge; Malformed, also for any DOCTYPE: what it declares can be a bomb, a file or a hole in the text.
    """
    if len(data) > max_bytes:
        raise TooLarge("The XML document is too large.", limit_bytes=max_bytes)
    if _DOCTYPE.search(data):
        raise _doctype()
    try:
        root = etree.fromstring(data, _parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        line, column = getattr(error, "position", (None, None))
        raise Malformed("Not well-formed XML.", line=line, column=column) from None
    if root.getroottree().docinfo.doctype:  # in an encoding in which the bytes above look otherwise
        raise _doctype()
    return root


def _parser() -> Any:
    """A new one each time: a parser keeps the dictionary of all names it ever saw."""
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )


def _doctype() -> Malformed:
    return Malformed("An XML document with a DOCTYPE is refused.")
