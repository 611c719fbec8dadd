"""A request and its answer, free of any server."""

from __future__ import annotations

from dataclasses import dataclass, field

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is still percent-encoded; header names are lower case."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def origin(self) -> str:
        return f"http://{self.headers.get('host', 'erp')}"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Headers = ()
    body: bytes = b""
    content_type: str = "application/json;charset=utf-8"

    def with_headers(self, *more: tuple[str, str]) -> Answer:
        return Answer(self.status, self.headers + more, self.body, self.content_type)
