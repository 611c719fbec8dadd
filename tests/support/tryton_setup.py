"""Set up an activated Tryton database: a company, two plants, items, a routing, partners, the gateway's user.

A program of its own: `TRYTOND_DATABASE_URI=postgresql://.../NAME python tryton_setup.py`. The address is in the
environment because the ERP reads it while it is imported. It drives the ERP through proteus, in process, so nothing
of the gateway may import it.
"""

from __future__ import annotations

import datetime
import sys
import time
from decimal import Decimal
from typing import Any

from proteus import Model, config  # type: ignore[import-untyped]
from trytond.modules.account.tests.tools import (  # type: ignore[import-untyped]
    create_chart,
    create_fiscalyear,
    get_accounts,
)
from trytond.modules.account_invoice.tests.tools import (  # type: ignore[import-untyped]
    set_fiscalyear_invoice_sequences,
)
from trytond.modules.company.tests.tools import create_company, get_company  # type: ignore[import-untyped]
from trytond.modules.currency.tests.tools import get_currency  # type: ignore[import-untyped]

PLANTS = ("P100", "P200")
GATEWAY_LOGIN = "gateway"
GATEWAY_PASSWORD = "gateway-password-0001"
GATEWAY_GROUPS = ("Stock", "Stock Cancellation", "Production", "Purchase", "Product Administration")
REST_KEY = "test-rest-key-0001"


def main() -> None:
    """Do all of it, in the order the ERP needs."""
    began_s = time.monotonic()
    session = config.set_trytond()
    for step in (company, fiscal_years, plants, items, routing, partners, stock_on_hand, gateway_user):
        step(session)
        took_s = time.monotonic() - began_s
        print(f"[tryton] {step.__name__} done after {took_s:.1f} s", file=sys.stderr, flush=True)


def one(model: str, *domain: tuple[str, str, object]) -> Any:
    """The only record that matches."""
    (found,) = Model.get(model).find(list(domain))
    return found


def saved(model: str, **values: Any) -> Any:
    """A new record, stored."""
    record = Model.get(model)(**values)
    record.save()
    return record


def company(session: Any) -> None:
    party = saved("party.party", name="Changeover Works", code="CW")
    create_company(party=party, currency="USD")
    get_currency("EUR")
    admin = one("res.user", ("login", "=", "admin"))
    admin.companies.append(Model.get("company.company")(get_company().id))
    admin.company = get_company()
    for group in Model.get("res.group").find([("id", "not in", [group.id for group in admin.groups])]):
        admin.groups.append(group)
    admin.save()
    session._context = Model.get("res.user").get_preferences(True, {})


def fiscal_years(_session: Any) -> None:
    """One long year: the dump must still be good when it is older than a real one."""
    this_year = datetime.date.today().year  # noqa: DTZ011 -- the ERP's own books are in local dates
    span = (datetime.date(this_year - 1, 1, 1), datetime.date(this_year + 3, 12, 31))
    set_fiscalyear_invoice_sequences(create_fiscalyear(get_company(), today=span)).click("create_period")
    create_chart(get_company())


def plants(_session: Any) -> None:
    for code in PLANTS:
        area = {
            suffix: saved("stock.location", name=f"{code} {name}", code=f"{code}-{suffix}", type=kind)
            for suffix, name, kind in (
                ("STO", "storage", "storage"),
                ("IN", "receiving", "storage"),
                ("OUT", "dispatch", "storage"),
                ("PROD", "shop floor", "production"),
                ("LOST", "lost and found", "lost_found"),
            )
        }
        saved(
            "stock.location",
            name=f"Plant {code}",
            code=code,
            type="warehouse",
            storage_location=area["STO"],
            input_location=area["IN"],
            output_location=area["OUT"],
            production_location=area["PROD"],
            lost_found_location=area["LOST"],
        )
        for bin_code in ("A1", "B1"):
            storage = one("stock.location", ("code", "=", f"{code}-STO"))
            saved(
                "stock.location",
                name=f"{code} bin {bin_code}",
                code=f"{code}-{bin_code}",
                type="storage",
                parent=storage,
            )


def items(_session: Any) -> None:
    accounts = get_accounts(get_company())
    accounting = saved(
        "product.category",
        name="Goods",
        accounting=True,
        account_expense=accounts["expense"],
        account_revenue=accounts["revenue"],
    )
    each, kilogram = one("product.uom", ("symbol", "=", "u")), one("product.uom", ("symbol", "=", "kg"))
    item("FG-100", "Gear pump", each, accounting, "20", producible=True)
    item("RM-200", "Pump housing", each, accounting, "5", purchasable=True)
    item("RM-300", "Steel bar", kilogram, accounting, "2", purchasable=True)
    item("0000004711", "Seal, number with leading zeros", each, accounting, "1", purchasable=True)


def item(code: str, name: str, unit: Any, accounting: Any, cost: str, **kind: bool) -> None:
    template = Model.get("product.template")(
        name=name,
        code=code,
        type="goods",
        default_uom=unit,
        list_price=Decimal(cost) * 2,
        account_category=accounting,
        **kind,
    )
    template.products[0].cost_price = Decimal(cost)
    template.save()


def routing(_session: Any) -> None:
    bom = Model.get("production.bom")(name="Gear pump", code="BOM-FG-100")
    for code, quantity in (("RM-200", 2.0), ("RM-300", 0.5)):
        bom.inputs.new(product=one("product.product", ("code", "=", code)), quantity=quantity)
    pump = one("product.product", ("code", "=", "FG-100"))
    bom.outputs.new(product=pump, quantity=1.0)
    bom.save()
    steps = Model.get("production.routing")(name="Gear pump")
    steps.boms.append(Model.get("production.bom")(bom.id))
    for number, name in ((10, "Assemble"), (20, "Test")):
        steps.steps.new(operation=operation(name), sequence=number)
    steps.save()
    pump.boms.append(Model.get("product.product-production.bom")(bom=bom, routing=steps))
    pump.save()


def operation(name: str) -> Any:
    """An operation and, in each plant, a work centre that does it."""
    category = saved("production.work.center.category", name=name)
    for code in PLANTS:
        plant = one("stock.location", ("code", "=", code))
        found = Model.get("production.work.center").find([("name", "=", f"{code} line")])
        line = found[0] if found else saved("production.work.center", name=f"{code} line", warehouse=plant)
        saved(
            "production.work.center",
            name=f"{code} {name}",
            parent=line,
            category=category,
            warehouse=plant,
            cost_price=Decimal(10),
            cost_method="hour",
        )
    return saved("production.routing.operation", name=name, work_center_category=category)


def partners(_session: Any) -> None:
    for code, name in (("S-1000", "Northwind Metals"), ("S-2000", "Harbour Seals"), ("C-2000", "Riverside Water")):
        party = Model.get("party.party")(name=name, code=code)
        party.addresses[0].street = f"{name} street 1"
        party.addresses[0].city = "Springfield"
        party.addresses[0].invoice = True
        party.save()


def stock_on_hand(_session: Any) -> None:
    for code in PLANTS:
        count = Model.get("stock.inventory")(location=one("stock.location", ("code", "=", f"{code}-STO")))
        for item_code, quantity in (("RM-200", 1000.0), ("RM-300", 500.0), ("FG-100", 10.0)):
            count.lines.new(product=one("product.product", ("code", "=", item_code)), quantity=quantity)
        count.click("confirm")


def gateway_user(_session: Any) -> None:
    user = Model.get("res.user")(name="Gateway", login=GATEWAY_LOGIN, password=GATEWAY_PASSWORD)
    user.companies.append(Model.get("company.company")(get_company().id))
    user.company = get_company()
    for name in GATEWAY_GROUPS:
        user.groups.append(one("res.group", ("name", "=", name)))
    user.save()
    key = Model.get("res.user.application")(user=user, application="rest")
    key.save()
    key.key = REST_KEY
    key.save()
    if key.state != "validated":
        key.click("validate")


if __name__ == "__main__":
    main()
