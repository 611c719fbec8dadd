"""The tables. Rows never leave this package; what others get are values of `core`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, Text
from sqlmodel import Field, SQLModel


class ContentRow(SQLModel, table=True):
    """An archived content revision; at most one is active."""

    __tablename__ = "content_revision"

    revision: str = Field(primary_key=True, max_length=64)
    files: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    archived_at_us: int = Field(sa_column=Column(BigInteger, nullable=False))


class TableRow(SQLModel, table=True):
    """The one row that says which revision of the wave table and of the content is in force."""

    __tablename__ = "wave_table"

    id: int = Field(primary_key=True)
    revision: int = Field(sa_column=Column(BigInteger, nullable=False))
    content: str = Field(foreign_key="content_revision.revision", max_length=64)
    numbered: bool = Field(default=False)
    """Numbers were imported into the crosswalk."""


class CellRow(SQLModel, table=True):
    """One cell."""

    __tablename__ = "cell"

    plant: str = Field(primary_key=True, max_length=32)
    domain: str = Field(primary_key=True, max_length=32)
    legacy: str = Field(max_length=32)
    cloud: str | None = Field(default=None, max_length=32)
    phase: str = Field(max_length=16)
    target: str | None = Field(default=None, max_length=16)
    wave: str | None = Field(default=None, max_length=32)
    epoch: int = Field(sa_column=Column(BigInteger, nullable=False))
    term: int = Field(sa_column=Column(BigInteger, nullable=False))
    suspended: bool = Field(default=False)


class AuditRow(SQLModel, table=True):
    """Who changed what, when and why."""

    __tablename__ = "audit"

    id: int | None = Field(default=None, primary_key=True)
    at_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    actor: str = Field(max_length=200)
    action: str = Field(max_length=64)
    reason: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    detail: str = Field(sa_column=Column(Text, nullable=False))


METADATA = SQLModel.metadata
CONTENT, TABLE, CELL, AUDIT = (METADATA.tables[n] for n in ("content_revision", "wave_table", "cell", "audit"))
