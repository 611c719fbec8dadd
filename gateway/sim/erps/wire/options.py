"""Query options of both OData versions, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote_plus

from gateway.sim.erps.declare import EntityType
from gateway.sim.erps.refusal import ErpRefusal, bad_request

_V2 = frozenset({"$filter", "$select", "$expand", "$top", "$skip", "$orderby", "$inlinecount", "$skiptoken", "$format"})
_V4 = frozenset({"$filter", "$select", "$expand", "$top", "$skip", "$orderby", "$count", "$skiptoken", "$format"})


@dataclass(frozen=True, slots=True)
class Shape:
    """Which properties and navigations an answer shows. `select` None is everything."""

    select: frozenset[str] | None = None
    expand: Mapping[str, Shape] = field(default_factory=dict)

    def shows(self, name: str) -> bool:
        return self.select is None or name in self.select


WHOLE = Shape()


@dataclass(frozen=True, slots=True)
class Options:
    filter: str = ""
    order: tuple[tuple[str, bool], ...] = ()  # engine field, descending
    top: int | None = None
    skip: int = 0
    token: int | None = None
    count: bool = False
    shape: Shape = WHOLE


@lru_cache(maxsize=4096)
def pairs(query: str) -> Mapping[str, str]:
    """The decoded options of a query string. A `+` is a blank, as the form encoding of most clients has it."""
    found: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name:
            found[unquote_plus(name)] = unquote_plus(value)
    return found


@lru_cache(maxsize=4096)
def options2(entity: EntityType, query: str) -> Options:
    """OData V2. Raises: 400 for an option, property or navigation that is not there."""
    given = _known(query, _V2)
    shape = _shape2(entity, _listed(given.get("$select", "")), _listed(given.get("$expand", "")))
    return _options(entity, given, shape, count=given.get("$inlinecount") == "allpages")


@lru_cache(maxsize=4096)
def options4(entity: EntityType, query: str) -> Options:
    """OData V4. Raises: 400 for an option, property or navigation that is not there."""
    given = _known(query, _V4)
    return _options(entity, given, _shape4(entity, given), count=given.get("$count") == "true")


def _known(query: str, known: frozenset[str]) -> Mapping[str, str]:
    given = pairs(query)
    for name in given:
        if name.startswith("$") and name not in known:
            status = 501 if name in ("$search", "$apply") else 400
            raise ErpRefusal(status, "/IWBEP/CX_MGW_BUSI_EXCEPTION", f"System query option '{name}' is not supported")
    return given


def _options(entity: EntityType, given: Mapping[str, str], shape: Shape, *, count: bool) -> Options:
    return Options(
        filter=given.get("$filter", ""),
        order=tuple(_order(entity, part) for part in _listed(given.get("$orderby", ""))),
        top=_number(given, "$top"),
        skip=_number(given, "$skip") or 0,
        token=_number(given, "$skiptoken"),
        count=count,
        shape=shape,
    )


def _number(given: Mapping[str, str], name: str) -> int | None:
    written = given.get(name)
    if written is None:
        return None
    if not written.isdecimal():
        raise bad_request(f"Invalid value for {name}: {written}")
    return int(written)


def _listed(text: str) -> list[str]:
    """Split at commas outside parentheses."""
    parts, depth, current = [], 0, ""
    for sign in text:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += sign
    return [p.strip() for p in [*parts, current] if p.strip()]


def _order(entity: EntityType, part: str) -> tuple[str, bool]:
    name, _, direction = part.partition(" ")
    if direction.strip() not in ("", "asc", "desc"):
        raise bad_request(f"Invalid $orderby: {part}")
    _check_property(entity, name)
    return entity.by_name[name].field, direction.strip() == "desc"


def _check_property(entity: EntityType, name: str) -> None:
    if name not in entity.by_name:
        raise bad_request(f"Property '{name}' not found in type '{entity.set_name}'", name)


def _child(entity: EntityType, name: str) -> EntityType:
    if name not in entity.children:
        raise bad_request(f"Navigation property '{name}' not found in type '{entity.set_name}'", name)
    return entity.children[name]


def _shape2(entity: EntityType, select: list[str], expand: list[str]) -> Shape:
    """V2 names nested selections and expansions by path: `to_Item/Material`, `to_Item/to_ScheduleLine`."""
    below: dict[str, tuple[list[str], list[str]]] = {}
    for path in expand:
        nav, _, rest = path.partition("/")
        below.setdefault(nav, ([], []))[1].extend([rest] if rest else [])
    own: set[str] = set()
    for path in select:
        nav, slash, rest = path.partition("/")
        if slash:
            _child(entity, nav)
            below.get(nav, ([], []))[0].append(rest)
        own.add(nav)
    _check_selected(entity, own)
    expansions = {nav: _shape2(_child(entity, nav), s, e) for nav, (s, e) in below.items()}
    return Shape(None if not select or "*" in own else frozenset(own), expansions)


def _check_selected(entity: EntityType, names: set[str]) -> None:
    for name in names - entity.children.keys() - {"*"}:
        _check_property(entity, name)


def _shape4(entity: EntityType, given: Mapping[str, str]) -> Shape:
    """V4 nests options in parentheses: `_Item($select=Material;$expand=...)`."""
    own = set(_listed(given.get("$select", "")))
    _check_selected(entity, own)
    expansions = {}
    for part in _listed(given.get("$expand", "")):
        nav, _, inner = part.partition("(")
        nested = dict(p.partition("=")[::2] for p in _semicolons(inner.removesuffix(")")))
        expansions[nav] = _shape4(_child(entity, nav), nested)
    return Shape(None if not own or "*" in own else frozenset(own), expansions)


def _semicolons(text: str) -> list[str]:
    parts, depth, current = [], 0, ""
    for sign in text:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == ";" and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += sign
    return [p for p in [*parts, current] if p]
