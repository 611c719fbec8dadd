"""XML of ERPs: read without fetching, expanding or guessing anything."""

from __future__ import annotations

import pytest

from gateway.errors import Malformed, TooLarge
from gateway.protocols.xml import loads

BOMB = b'<!DOCTYPE a [<!ENTITY x "lol"><!ENTITY y "&x;&x;&x;&x;"><!ENTITY z "&y;&y;&y;&y;">]><a>&z;</a>'


def test_a_document_is_read_with_its_namespaces_and_umlauts() -> None:
    root = loads('<e:a xmlns:e="urn:e"><!-- gone --><?gone?><e:b c="1">Prüfung</e:b></e:a>'.encode())
    assert root.tag == "{urn:e}a"
    assert [(child.tag, child.get("c"), child.text) for child in root] == [("{urn:e}b", "1", "Prüfung")]


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-16", "utf-8"])
def test_a_declared_encoding_is_followed(encoding: str) -> None:
    assert loads(f'<?xml version="1.0" encoding="{encoding}"?><a>ü</a>'.encode(encoding)).text == "ü"


@pytest.mark.parametrize(
    "data",
    [
        BOMB,
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><a/>',
        b'<!DOCTYPE a PUBLIC "-//X" "http://127.0.0.1:1/x.dtd"><a/>',
        b"<!DOCTYPE a><a/>",
        b"<!doctype a><a/>",
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY x "1">]><a>&x;</a>'.encode("utf-16"),
    ],
    ids=["bomb", "file", "outer DTD", "public DTD", "bare", "small letters", "UTF-16"],
)
def test_any_doctype_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        loads(data)


def test_a_doctype_hidden_in_an_encoding_is_refused_as_a_doctype() -> None:
    with pytest.raises(Malformed, match="DOCTYPE"):
        loads('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY x "1">]><a/>'.encode("utf-16"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a>&x;</a>",
        b"<a b=1/>",
        b"<a>\x00</a>",
        b"<a>\xff</a>",
        b"{}",
        b"<a>" * 100000 + b"</a>" * 100000,
    ],
    ids=lambda data: repr(data[:20]),
)
def test_what_is_not_well_formed_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        loads(data)


def test_a_mistake_is_named_by_line() -> None:
    with pytest.raises(Malformed) as caught:
        loads(b"<a>\n<b>\n</a>")
    assert caught.value.extra["line"] == 3


def test_the_size_is_limited() -> None:
    assert loads(b"<a/>", max_bytes=4).tag == "a"
    with pytest.raises(TooLarge):
        loads(b"<a/>", max_bytes=3)
