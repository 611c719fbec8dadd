"""One ERP's data and business seen from the wire: the row a path names, its ETag, what an answer needs."""

from __future__ import annotations

from gateway.sim.erps.config import ErpConfig
from gateway.sim.erps.declare import EntityType, Key, Row
from gateway.sim.erps.ledger import Ledger
from gateway.sim.erps.refusal import BAD_REQUEST, ErpRefusal, not_found
from gateway.sim.erps.rules.business import Business
from gateway.sim.erps.seed import seed
from gateway.sim.erps.tables import model_of
from gateway.sim.erps.wire.dialect import Dialect, View
from gateway.sim.erps.wire.messages import Headers, Request
from gateway.sim.erps.wire.odata2 import Odata2
from gateway.sim.erps.wire.odata4 import Odata4
from gateway.sim.erps.wire.options import pairs
from gateway.sim.erps.wire.paths import Target


class Site:
    """A seeded ERP behind its protocol."""

    def __init__(self, config: ErpConfig) -> None:
        self.config = config
        self.model = model_of(config.face)
        self.dialect: Dialect = Odata2() if config.face == "legacy" else Odata4(d365=config.face == "d365")
        self.ledger = Ledger(self.model, config.erp, config.clock, config.ranges)
        self.business = Business(config, self.ledger)
        seed(self.business)

    def row(self, request: Request, target: Target, key: Key | None = None) -> Row:
        """The row a path names; a document of another company hides unless `cross-company` is asked for."""
        entity = target.entity
        assert entity is not None  # noqa: S101 - `what` says so
        row = self.business.row(entity.role, key or target.key or ())
        own = self.config.default_company
        if row.get("company", own) != own and not cross_company(request):
            raise not_found(f"No resources were found for '{entity.set_name}' in company {own}")
        return row

    def check_etag(self, request: Request, entity: EntityType, row: Row) -> None:
        """Raises: 428 without `If-Match` where one is required, 412 for one that is no longer true."""
        current = self.dialect.etag(entity, row)
        given = request.headers.get("if-match")
        if current is None or given == "*":
            return
        if given is None:
            if self.config.require_if_match and self.config.face != "d365":
                raise ErpRefusal(428, BAD_REQUEST, "The If-Match header is required: read the entity first")
            return
        if current not in [tag.strip() for tag in given.split(",")]:
            message = "The entity was changed by another user after it was read. Read it again and repeat the change."
            raise ErpRefusal(412, BAD_REQUEST, message)

    def headers(self, entity: EntityType, row: Row) -> Headers:
        """The protocol's headers, and the row's ETag if it has one."""
        etag = self.dialect.etag(entity, row)
        return (*self.dialect.headers, ("etag", etag)) if etag else self.dialect.headers

    def view(self, request: Request, target: Target) -> View:
        as_text = "ieee754compatible=true" in request.headers.get("accept", "").lower()
        return View(request.origin + target.root, self.children, as_text)

    def children(self, child: EntityType, row: Row) -> list[Row]:
        parent = self.model.types[str(child.parent)]
        return self.ledger.children(child.role, parent.key_of(row))


def cross_company(request: Request) -> bool:
    return pairs(request.query).get("cross-company", "").lower() == "true"
