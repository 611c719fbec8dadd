"""Numbers from a list into the crosswalk: every row checked first, and none taken when one contradicts another or the store."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TextIO

from gateway.control.content import Content
from gateway.control.numbers_told import NoSuchNumber, told
from gateway.core.crosswalk import NUMBERED, SHOWN, canonical_id, erp_space
from gateway.core.intents import Names
from gateway.core.waves import ENTERPRISE
from gateway.dialects.compile import Translation
from gateway.store.crosswalk_bulk import Audit, Standing, learn, standing_for
from gateway.store.sql import Database

COLUMNS = ("object", "canonical", "legacy", "cloud", "shown")
_MOST_CANONICAL, _MOST_KEY = 64, 120
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing wrong with a line of the file. Lines count from 1, the heading's."""

    line: int
    kind: str
    reason: str


class Refused(Exception):
    """Nothing was taken: every line that is wrong."""

    def __init__(self, wrong: list[Wrong]) -> None:
        super().__init__(f"{len(wrong)} lines are wrong")
        self.wrong = sorted(wrong, key=lambda w: w.line)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file; numbers in canonical form, empty where there is none."""

    line: int
    object: str
    canonical: str
    legacy: str
    cloud: str
    shown: str


@dataclass(frozen=True, slots=True)
class Pair:
    """The two ERPs that the columns are of, with the dialects that read their numbers."""

    legacy: str
    cloud: str
    translations: Mapping[tuple[str, str], Translation] = field(default_factory=dict)

    def spaces(self, row: Row) -> list[tuple[str, str]]:
        """(space, number) of all that a row says, shown ones too."""
        named = [(erp_space(self.legacy), row.legacy), (erp_space(self.cloud), row.cloud), (SHOWN, row.shown)]
        return [(space, key) for space, key in named if key]


@dataclass(frozen=True, slots=True)
class Report:
    """What an import did, or would do."""

    rows: int
    names: int
    """New crosswalk rows; the others stood already."""
    dry_run: bool = False


def pair_of(content: Content, legacy: str, cloud: str) -> Pair:
    """Two ERPs of a content. Raises: KeyError: there is no such ERP."""
    found: dict[tuple[str, str], Translation] = {}
    for erp in (legacy, cloud):
        dialect = content.dialects[content.erps[erp].dialect]
        for object_ in NUMBERED:
            if (translation := dialect.of(object_, ENTERPRISE)) is not None:
                found[erp, object_] = translation
    return Pair(legacy, cloud, found)


async def take(
    database: Database,
    file: TextIO,
    pair: Pair,
    audit: Audit,
    *,
    dry_run: bool = False,
    progress: Progress = lambda _: None,
) -> Report:
    """Take a file's rows into the crosswalk, all or none. Raises: Refused, Overtaken, StoreDown."""
    wrong: list[Wrong] = []
    rows = list(_rows(file, pair, wrong, progress))
    wrong += _twice(rows, pair)
    if wrong:
        raise Refused(wrong)

    keys = ((row.object, space, key) for row in rows for space, key in pair.spaces(row))
    ids = ((row.object, row.canonical) for row in rows if row.canonical)
    names = list(_names(rows, pair, await standing_for(database, keys, ids)))
    if not dry_run:
        detail = {"erps": [pair.legacy, pair.cloud], "rows": len(rows), "names": len(names)}
        await learn(database, names, audit, json.dumps(detail))
    return Report(len(rows), len(names), dry_run)


# The file alone


def _rows(file: TextIO, pair: Pair, wrong: list[Wrong], progress: Progress) -> Iterable[Row]:
    """Raises: Refused: the heading is none."""
    records = _records(file, wrong)
    heading = [name.strip().lower() for name in next(records, (1, []))[1]]
    if not wrong and (bad := _heading(heading)):
        raise Refused([Wrong(1, "heading", bad)])
    for line, cells in records:
        if line % 1000 == 0:
            progress(line)
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(heading):
            wrong.append(Wrong(line, "columns", f"{len(cells)} cells, the heading has {len(heading)}"))
            continue
        row = _row(line, dict(zip(heading, map(str.strip, cells), strict=True)), pair, wrong)
        if row is not None:
            yield row


def _records(file: TextIO, wrong: list[Wrong]) -> Iterator[tuple[int, list[str]]]:
    """The lines, each with its number: that of the first one where a cell goes over several."""
    reader = csv.reader(file, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as err:
            # Where a later line begins is anybody's guess.
            reason = f"a quotation mark is never closed, or stands inside a cell: {err}"
            wrong.append(Wrong(line, "quotes", reason))
            return
        yield line, cells


def _heading(heading: list[str]) -> str:
    if unknown := [name for name in heading if name not in COLUMNS]:
        return f"unknown columns {', '.join(map(repr, unknown))}: there are {', '.join(COLUMNS)}"
    if len(set(heading)) != len(heading):
        return "a column stands twice"
    if missing := [name for name in ("object", "legacy", "cloud") if name not in heading]:
        return f"no column {', '.join(missing)}"
    return ""


def _row(line: int, cells: Mapping[str, str], pair: Pair, wrong: list[Wrong]) -> Row | None:
    object_ = cells["object"]
    if object_ not in NUMBERED:
        reason = f"{object_!r} is no object with numbers: {', '.join(sorted(NUMBERED))}"
        wrong.append(Wrong(line, "object", reason))
        return None
    if not cells["legacy"] and not cells["cloud"]:
        wrong.append(Wrong(line, "empty", "neither a legacy nor a cloud number"))
        return None
    before = len(wrong)
    for name in ("canonical", "legacy", "cloud", "shown"):
        value, most = cells.get(name, ""), _MOST_CANONICAL if name == "canonical" else _MOST_KEY
        if len(value) > most or not value.isprintable():
            wrong.append(Wrong(line, "number", f"{name} has over {most} characters, or one that cannot be printed"))
    if len(wrong) > before:
        return None
    legacy = _number(line, pair, pair.legacy, object_, cells["legacy"], wrong)
    cloud = _number(line, pair, pair.cloud, object_, cells["cloud"], wrong)
    if len(wrong) > before:
        return None
    return Row(line, object_, cells.get("canonical", ""), legacy, cloud, cells.get("shown", ""))


def _number(line: int, pair: Pair, erp: str, object_: str, text: str, wrong: list[Wrong]) -> str:
    if not text:
        return ""
    translation = pair.translations.get((erp, object_))
    if translation is None:
        wrong.append(Wrong(line, "object", f"{erp} has no {object_}"))
        return ""
    try:
        return told(translation, text, "").number
    except NoSuchNumber as err:
        wrong.append(Wrong(line, "number", f"{text!r} is no number of {erp}: {err}"))
        return ""


def _twice(rows: list[Row], pair: Pair) -> Iterable[Wrong]:
    """Numbers that two lines of the file claim."""
    seen: dict[tuple[str, str, str], int] = {}
    for row in rows:
        claims = [(row.object, space, key) for space, key in pair.spaces(row)]
        if row.canonical:
            claims.append((row.object, "canonical", row.canonical))
        for claim in claims:
            first = seen.setdefault(claim, row.line)
            if first != row.line:
                yield Wrong(row.line, "twice", f"{claim[0]} {claim[2]} ({claim[1]}) stands in line {first} too")


# The file against the store


def _names(rows: list[Row], pair: Pair, standing: Standing) -> Iterable[Names]:
    """What is new. Raises: Refused: every contradiction."""
    wrong: list[Wrong] = []
    new: list[Names] = []
    taken: dict[tuple[str, str, str], int] = {}
    called: dict[tuple[str, str, str], str] = {}
    for row in rows:
        canonical = _canonical(row, pair, standing, wrong)
        if canonical is None:
            continue
        for space, key in _spaces(row, canonical, pair, standing):
            if not _fits(row, canonical, space, key, standing, wrong):
                continue
            first = taken.setdefault((row.object, space, key), row.line)
            if first != row.line:
                wrong.append(Wrong(row.line, "twice", f"{row.object} {key} ({space}) stands in line {first} too"))
            elif called.setdefault((row.object, canonical, space), key) != key:
                reason = f"{row.object} {canonical} is called {called[row.object, canonical, space]} in {space} by another line"
                wrong.append(Wrong(row.line, "twice", reason))
            elif (row.object, space, key) not in standing.by_key:
                new.append(Names(row.object, canonical, space, key))
    if wrong:
        raise Refused(wrong)
    return new


def _canonical(row: Row, pair: Pair, standing: Standing, wrong: list[Wrong]) -> str | None:
    """The canonical id of a row: its own, else the one its numbers stand for already, else what any gateway would make of them."""
    held = {
        (space, key): standing.by_key[row.object, space, key]
        for space, key in pair.spaces(row)
        if (row.object, space, key) in standing.by_key
    }
    ids = sorted({*held.values(), *([row.canonical] if row.canonical else [])})
    if len(ids) > 1:
        said = ", ".join(f"{key} ({space}) is {id_}" for (space, key), id_ in held.items())
        own = f"the line says {row.canonical}, and " if row.canonical else ""
        wrong.append(Wrong(row.line, "store", f"{own}{row.object} {said} already"))
        return None
    if ids:
        return ids[0]
    return canonical_id(row.object, *((pair.legacy, row.legacy) if row.legacy else (pair.cloud, row.cloud)))


def _spaces(row: Row, canonical: str, pair: Pair, standing: Standing) -> list[tuple[str, str]]:
    """What the row says, with the number clients see where it says none: the one they saw before, else the older ERP's."""
    said = pair.spaces(row)
    if row.shown or (row.object, canonical, SHOWN) in standing.by_id:
        return said
    return [*said, (SHOWN, row.legacy or row.cloud)]


def _fits(row: Row, canonical: str, space: str, key: str, standing: Standing, wrong: list[Wrong]) -> bool:
    held = standing.by_id.get((row.object, canonical, space))
    if held is not None and held != key:
        wrong.append(
            Wrong(row.line, "store", f"{row.object} {canonical} is called {held} in {space} already, not {key}")
        )
        return False
    other = standing.by_key.get((row.object, space, key))
    if other is not None and other != canonical:
        wrong.append(Wrong(row.line, "store", f"{row.object} {key} ({space}) stands for {other} already"))
        return False
    return True
