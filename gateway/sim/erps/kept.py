"""What an ERP committed, kept in a file: a killed process finds it again, as a real one finds its database."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from gateway.sim.erps.declare import EntityType, Row
from gateway.sim.erps.erp import Erp
from gateway.sim.erps.ledger import Committed, Ledger
from gateway.sim.erps.wire.messages import Answer

_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class Record:
    """What one request changed. The first record of a file has all `rows` of the seeded ERP.

    Identifiers of requests are in the same record as what these did: neither is ever remembered without the other.
    """

    done: Committed
    repeatable: dict[str, tuple[datetime, Answer]]
    rows: dict[str, list[Row]] | None = None


class Kept:
    """The file behind one ERP: written before an answer leaves, read at the start.

    A record that a kill cut off is dropped: its request had no answer yet. It outlives the process and not the machine, so
    nothing waits for the disk. Takes: the ERP, which gets back what the file holds.
    """

    def __init__(self, erp: Erp, path: Path) -> None:
        self._erp = erp
        self._file: IO[bytes] = path.open("a+b", buffering=0)
        self._ledger: Ledger | None = None
        self._seq = 0
        self._newest: object = None
        self._restore()

    def save(self) -> None:
        """Write what was committed since the last time."""
        ledger, repeatable = self._erp.ledger, self._erp.repeatable
        name, newest = next(reversed(repeatable.items()), ("", None))
        if ledger is not self._ledger:  # at the first start, and after a reset
            self._file.truncate(0)
            self._append(Record(_bare(ledger.since(0)), dict(repeatable), ledger.rows()))
        elif len(ledger.truth) > self._seq or newest is not self._newest:
            new = {name: newest} if newest is not None and newest is not self._newest else {}
            self._append(Record(_bare(ledger.since(self._seq)), new))
        self._ledger, self._seq, self._newest = ledger, len(ledger.truth), newest

    def _append(self, record: Record) -> None:
        body = pickle.dumps(record)
        self._file.write(len(body).to_bytes(_LENGTH_BYTES, "big") + body)

    def _restore(self) -> None:
        self._file.seek(0)
        data, at = self._file.read(), 0
        while (start := at + _LENGTH_BYTES) <= len(data):
            end = start + int.from_bytes(data[at:start], "big")
            if end > len(data):
                break
            self._take(pickle.loads(data[start:end]))  # noqa: S301 - our own file
            at = end
        self._file.truncate(at)
        self.save()

    def _take(self, record: Record) -> None:
        ledger = self._erp.ledger
        if record.rows is not None:
            ledger.refill(record.rows)
            self._ledger = ledger
        ledger.replay(record.done)
        self._erp.repeatable |= record.repeatable
        self._seq = len(ledger.truth)
        self._newest = next(reversed(self._erp.repeatable.values()), None)


def _bare(done: Committed) -> Committed:
    """Without the declarations that entries point to: they are the program's and not the file's."""
    nothing: Any = None
    typeless: EntityType = nothing
    return replace(done, entries=tuple((role, replace(entry, type=typeless)) for role, entry in done.entries))
