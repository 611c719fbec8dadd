"""The YAML files of `routes/`, read one by one: what each declares, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TypeVar

from pydantic import BaseModel

from gateway.core.marked import Marked, parse, salvaged
from gateway.errors import ContentError, Mistake

T = TypeVar("T", bound=BaseModel)


class Routes:
    """Reads files, and keeps their marks for the checks across files.

    Takes: `unread`, files there are no texts of, and folders that are missing: both are told already.
    """

    def __init__(self, files: Mapping[str, str], unread: frozenset[str], mistakes: list[Mistake]) -> None:
        self._files, self._unread, self._mistakes = files, unread, mistakes
        self.marked: dict[str, Marked] = {}
        self._raw: dict[str, Marked] = {}

    def one(self, name: str, model: type[T]) -> T | None:
        """A file as far as it can be read; None where too little of it can be."""
        if name not in self._files:
            if not self._unread & {name, "routes"}:
                self._mistakes.append(Mistake(name, 0, 0, "the file is missing"))
            return None
        try:
            self._raw[name] = parse(name, self._files[name])
        except ContentError as err:
            self._mistakes += err.mistakes
            return None
        found = salvaged(self._raw[name], model)
        self._mistakes += found.mistakes
        self.marked[name] = found.marked
        return found.value

    def many(self, prefix: str, model: type[T], key: str) -> dict[str, T]:
        """All files below a folder by what they call themselves at `key`."""
        found: dict[str, T] = {}
        for name in self._below(prefix):
            value = self.one(name, model)
            called = getattr(value, key, None)
            if value is None or called is None:
                continue
            if called in found:
                self._mistakes.append(self.marked[name].mistake((key,), f"{called} stands in another file too"))
            else:
                found[called] = value
        return found

    def names_in(self, name: str, member: str) -> frozenset[str] | None:
        """What a file declares under `member`, mistakes or not; None where it cannot be read."""
        raw = self._raw.get(name)
        listed = raw.data.get(member, {}) if raw is not None and isinstance(raw.data, dict) else None
        return frozenset(listed) if isinstance(listed, dict) else None

    def names_of(self, prefix: str, key: str) -> frozenset[str] | None:
        """What the files below a folder call themselves; one that cannot be read is called as its file is."""
        return None if "routes" in self._unread else frozenset(self._called(prefix, key))

    def _called(self, prefix: str, key: str) -> Iterator[str]:
        for name in (*self._below(prefix), *(n for n in self._unread if n.startswith(prefix))):
            raw = self._raw.get(name)
            said = raw.data.get(key) if raw is not None and isinstance(raw.data, dict) else None
            yield said if isinstance(said, str) else PurePosixPath(name).stem

    def _below(self, prefix: str) -> list[str]:
        return sorted(n for n in self._files if n.startswith(prefix) and n.endswith(".yaml"))

    def folders(self, prefix: str) -> frozenset[str] | None:
        """The folders below a folder; None where that is missing."""
        if prefix.rstrip("/") in self._unread:
            return None
        return frozenset(
            n.removeprefix(prefix).partition("/")[0] for n in (*self._files, *self._unread) if n.startswith(prefix)
        )
