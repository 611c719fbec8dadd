"""The question put to the policy: the caller, the cell, the operation, and the document fields the manifest declares.

Every declared key is always there, null where it is unknown or belongs to another object, so that no policy has to tell
absent from null. Numbers keep to 15 significant digits, which every engine compares exactly; a longer one is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal, DecimalException
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import orjson

from gateway.errors import Denied
from gateway.policy.manifest import Manifest, Total, Tree

SCHEMA = 1
VERBS = ("read", "list", "create", "change", "delete", "release", "confirm", "post", "cancel")
EXACT_DIGITS = 15
MAX_EXPONENT = 30
TOTAL_STEP = Decimal("0.0001")
WIDE = Context(prec=60, rounding=ROUND_HALF_UP)


class Subject(NamedTuple):
    """Who asks. `auth` is how they proved it."""

    id: str
    client: str
    roles: tuple[str, ...]
    plants: tuple[str, ...]
    auth: str


class Question(NamedTuple):
    """May `subject` do `verb` to `object` in this cell? `document` is the canonical document; little of it is asked.

    `surface` and `network` say where the client came in. `side` is null where the phase alone decides it.
    """

    subject: Subject
    plant: str
    domain: str
    object: str
    verb: str
    phase: str
    side: str | None = None
    version: str | None = None
    document: Mapping[str, Any] = MappingProxyType({})
    surface: str | None = None
    network: str | None = None


def nobody() -> Question:
    """The question of a caller who has no role and no plant: every bundle must answer it with a no."""
    subject = Subject("nobody", "nobody", (), (), "jwt")
    return Question(subject, plant="", domain="", object="", verb="read", phase="legacy")


class Projector:
    """Turns questions into their JSON, by one manifest."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._whole = manifest.whole_tree()
        self._own = {obj: manifest.own_tree(obj) for obj in {*manifest.document, *manifest.totals}}
        self._none = _pick(self._whole, {}, {})

    def project(self, question: Question, now_s: float) -> bytes:
        """The question as JSON, the same bytes for the same facts. Raises: Denied when a value cannot be asked."""
        subject = question.subject
        body = {
            "schema": SCHEMA,
            "subject": {
                "id": subject.id,
                "client": subject.client,
                "roles": sorted(set(subject.roles)),
                "plants": sorted(set(subject.plants)),
                "auth": subject.auth,
            },
            "cell": {"plant": question.plant, "domain": question.domain},
            "object": question.object,
            "verb": question.verb,
            "phase": question.phase,
            "side": question.side,
            "version": question.version,
            "document": self._document(question),
            "client": {"surface": question.surface, "network": question.network},
            "time_bucket": self._time_bucket(now_s),
        }
        try:
            return orjson.dumps(body, default=_fragment)
        except (TypeError, ValueError) as error:
            raise unaskable("a text is not valid Unicode") from error

    def _document(self, question: Question) -> dict[str, Any]:
        own = self._own.get(question.object)
        if own is None or not question.document:
            return self._none
        facts = dict(question.document)
        for name, total in self._manifest.totals.get(question.object, {}).items():
            facts[name] = add_up(total, question.document)
        return _pick(self._whole, own, facts)

    def _time_bucket(self, now_s: float) -> str | None:
        width_s = self._manifest.time_bucket_s
        if width_s is None:
            return None
        return datetime.fromtimestamp(int(now_s) // width_s * width_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unaskable(why: str) -> Denied:
    """The no to a question whose values no policy could judge exactly."""
    return Denied(f"The policy cannot be asked about this document: {why}.", reasons=["question-not-exact"])


def _pick(whole: Tree, own: Tree, facts: Mapping[str, Any]) -> dict[str, Any]:
    picked: dict[str, Any] = {}
    for name, below in whole.items():
        bare = name.removesuffix("[]")
        fact = facts.get(bare) if name in own else None
        mine = own.get(name)
        if name.endswith("[]"):
            picked[bare] = _rows(below, mine, fact)
        elif below is None:
            picked[bare] = _scalar(fact)
        else:
            picked[bare] = _pick(below, mine or {}, fact if isinstance(fact, Mapping) else {})
    return picked


def _rows(below: Tree | None, mine: Tree | None, fact: Any) -> list[Any] | None:
    if not isinstance(fact, list | tuple):
        return None
    if below is None:
        return [_scalar(row) for row in fact]
    return [_pick(below, mine or {}, row if isinstance(row, Mapping) else {}) for row in fact]


def _scalar(fact: Any) -> Any:
    if fact is None or isinstance(fact, str | bool):
        return fact
    if isinstance(fact, int | float | Decimal):
        return exact(Decimal(repr(fact)) if isinstance(fact, float) else Decimal(fact))
    if isinstance(fact, datetime):
        return fact.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(fact, date):
        return fact.isoformat()
    raise unaskable("a declared field is not a single value")


def exact(number: Decimal) -> Decimal:
    """The number in its shortest form. Raises: Denied when it has more digits than every engine compares exactly."""
    if not number.is_finite():
        raise unaskable("a number is not finite")
    short = number.normalize(WIDE) if number else Decimal(0)
    if len(short.as_tuple().digits) > EXACT_DIGITS or abs(short.adjusted()) > MAX_EXPONENT:
        raise unaskable(f"a number has more than {EXACT_DIGITS} significant digits")
    return short


def _fragment(value: Any) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    raise TypeError(type(value).__name__)


def add_up(total: Total, document: Mapping[str, Any]) -> Decimal | None:
    """The declared sum, exact to four decimals; None as soon as one part of it is unknown."""
    rows = document.get(total.over)
    if not isinstance(rows, list | tuple):
        return None
    try:
        parts = [_row_amount(total, row) for row in rows]
        if any(part is None for part in parts):
            return None
        return WIDE.quantize(sum(cast("list[Decimal]", parts), Decimal(0)), TOTAL_STEP)
    except DecimalException as error:
        raise unaskable("a total cannot be computed") from error


def _row_amount(total: Total, row: Any) -> Decimal | None:
    names = [*total.multiply, *([total.divide] if total.divide else [])]
    facts = [row.get(name) if isinstance(row, Mapping) else None for name in names]
    values = [Decimal(fact) for fact in facts if isinstance(fact, int | Decimal) and not isinstance(fact, bool)]
    if len(values) < len(facts):
        return None
    amount = Decimal(1)
    for value in values[: len(total.multiply)]:
        amount = WIDE.multiply(amount, value)
    return WIDE.divide(amount, values[-1]) if total.divide else amount


def question_schema(manifest: Manifest) -> dict[str, Any]:
    """The JSON Schema of the questions that policies under this manifest get."""
    text, maybe = {"type": "string"}, {"type": ["string", "null"]}
    texts = {"type": "array", "items": text}
    subject = {"id": text, "client": text, "roles": texts, "plants": texts, "auth": {"enum": ["jwt", "api-key"]}}
    properties = {
        "schema": {"const": SCHEMA},
        "subject": _closed(subject),
        "cell": _closed({"plant": text, "domain": text}),
        "object": text,
        "verb": {"enum": list(VERBS)},
        "phase": text,
        "side": {"enum": ["legacy", "cloud", None]},
        "version": maybe,
        "document": _tree_schema(manifest.whole_tree()),
        "client": _closed({"surface": maybe, "network": maybe}),
        "time_bucket": maybe,
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_closed(properties)}


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _tree_schema(tree: Tree) -> dict[str, Any]:
    scalar = {"type": ["string", "number", "boolean", "null"]}
    properties: dict[str, Any] = {}
    for name, below in tree.items():
        one = scalar if below is None else _tree_schema(below)
        properties[name.removesuffix("[]")] = {"type": ["array", "null"], "items": one} if name.endswith("[]") else one
    return _closed(properties)
