"""The reference policy a second time, in Python, and questions for it. Only the data file is shared with the Rego."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

from gateway.policy.question import VERBS, Question, Subject

POLICIES = Path(__file__).resolve().parents[3] / "policies"
DATA = json.loads((POLICIES / "data.json").read_text())
GRANTS, LIMITS = DATA["grants"], DATA["limits"]["purchase_order"]
OBJECTS = {
    "production": ("production_order", "confirmation"),
    "master_data": ("item", "item_plant"),
    "inventory": ("inventory_position", "movement"),
    "procurement": ("purchase_order", "receipt"),
}
PLANTS = ("1000", "2000", "3000")


def granting(question: Question) -> set[str]:
    found = set()
    for role in question.subject.roles:
        grants = GRANTS.get(role, {})
        here = grants.get(question.domain, {}).get(question.object, [])
        everywhere = grants.get("*", {}).get("*", [])
        if question.verb in [*here, *everywhere]:
            found.add(role)
    return found


def may(question: Question) -> bool:
    """What the reference policy ought to say."""
    roles, plants = granting(question), question.subject.plants
    enterprise_read = question.plant == "*" and question.verb in ("read", "list") and len(plants) > 0
    if not roles or not ("*" in plants or question.plant in plants or enterprise_read):
        return False
    if question.object != "purchase_order" or question.verb not in ("create", "change", "release"):
        return True
    return bool(roles & {"buyer_senior", "admin"}) or within_limit(question.document)


def within_limit(document: Any) -> bool:
    limit, lines = LIMITS.get(document.get("currency")), document.get("lines")
    if limit is None or lines is None:
        return False
    total = sum((row["quantity"] * row["price"] / row["price_per"] for row in lines), Decimal(0))
    return bool(total <= limit)


def mask(question: Question) -> set[str]:
    masks = [set(DATA["masks"].get(role, {}).get(question.object, [])) for role in granting(question)]
    return set.intersection(*masks) if masks else set()


def likely_question(rng: random.Random) -> Question:
    """A question that more often than not deserves a yes."""
    role = rng.choice(sorted(GRANTS))
    domain = rng.choice([name for name in GRANTS[role] if name != "*"] or sorted(OBJECTS))
    thing = rng.choice(list(GRANTS[role].get(domain, {})) or OBJECTS[domain])
    verbs = GRANTS[role].get(domain, {}).get(thing) or GRANTS[role].get("*", {}).get("*", ["read"])
    verb = rng.choice(verbs) if rng.random() < 0.9 else rng.choice(VERBS)
    others = rng.sample(sorted(GRANTS), rng.choice((0, 0, 1, 2)))
    plant = "*" if thing == "item" else rng.choice(PLANTS)
    plants = rng.choice((("*",), (plant,), (plant, "2000"), ("1000", "2000", "3000"), ()))
    subject = Subject("u1", "app", (role, *others), plants, rng.choice(("jwt", "api-key")))
    return Question(subject, plant, domain, thing, verb, "dual_legacy", None, "1", document(rng, thing), "rest")


def document(rng: random.Random, thing: str) -> dict[str, Any]:
    if thing != "purchase_order" or rng.random() < 0.1:
        return {}
    price = rng.choice(("1", "0.0001", "99.99", "3333.33", "5000", "5000.005", "10000", "10000.01"))
    row = {"quantity": Decimal(rng.choice(("1", "2", "0.5"))), "price": Decimal(price), "price_per": Decimal(1)}
    return {"currency": rng.choice(("EUR", "EUR", "USD", "JPY")), "lines": [row] * rng.choice((1, 2, 3)), "note": "x"}
