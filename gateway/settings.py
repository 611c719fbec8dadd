"""Every knob, once. Read in `app`, `cli` and the demo; everything else is handed what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of one gateway, from the environment (`CHANGEOVER_...`) or a `.env` file."""

    model_config = SettingsConfigDict(
        env_prefix="CHANGEOVER_", env_file=".env", env_parse_none_str="null", extra="ignore", frozen=True
    )

    content: Path | None = Field(
        None, description="folder with routes/, translators/ and policies/; default: the reference deployment"
    )
    database_url: str = Field(
        "sqlite:///changeover.db", description="SQLite for one gateway, postgresql://... for several"
    )
    host: str = Field("127.0.0.1", description="address of both ports; 0.0.0.0 only behind a load balancer")
    port: int = Field(8080, ge=0, le=65535, description="data port: APIs, their documentation, problem pages")
    admin_port: int = Field(8081, ge=0, le=65535, description="admin port: health, metrics; never open to clients")
    public_url: str = Field("", description="URL prefix in links and problem types; default: relative")
    hosts: list[str] | None = Field(
        None, description="Host names the data port answers to; default: any well-formed one"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="lowest level that is written")
    follow_s: float = Field(
        0.5, gt=0, le=60, description="seconds between looks at the store for another table or content"
    )
    drain_s: float = Field(25.0, ge=0, le=600, description="seconds that running requests get after SIGTERM")
    write_call_s: float = Field(
        20.0, gt=0, le=300, description="seconds that one call of a write may take, whatever its caller waits"
    )
    lease_s: float = Field(
        6.0, ge=1, le=120, description="seconds after which a silent gateway's work is taken over (PostgreSQL)"
    )
    feed_poll_s: float = Field(
        5.0, ge=0, le=3600, description="seconds between looks at the change feeds of plants in a dual phase; 0: never"
    )
    feed_overlap_s: float = Field(
        60.0, ge=0, le=86_400, description="what is read again at each look; over the longest transaction of an ERP"
    )
    derived_settle_s: float = Field(
        300.0,
        ge=0,
        le=86_400,
        description="how much later than the other an ERP may derive its documents; then a difference is a case",
    )
    policy_engine: Literal["embedded", "opa"] = Field(
        "embedded", description="regorus in the process, or an OPA server, which loads and tests its bundle itself"
    )
    opa_url: str = Field("http://127.0.0.1:8181", description="the OPA server, for policy_engine=opa")
    opa_timeout_s: float = Field(0.25, gt=0, le=10, description="time the OPA server has for one decision")
    max_header_bytes: int = Field(32_768, ge=1024, description="header section of a request; larger is 431")
    max_connections_per_ip: int | None = Field(512, description="open connections of one address; null: no limit")
    header_timeout_s: float = Field(5.0, gt=0, description="time for a complete header section")
    keep_alive_s: float = Field(
        65.0, gt=0, description="idle time of a client's connection; over a load balancer's own"
    )
    environment: Literal["development", "production"] = Field(
        "development", description="production refuses unsafe settings"
    )
    crash_at: Path | None = Field(
        None, description="tests only, refused in production: a file that says at which point of a write to be killed"
    )

    @property
    def embedded_policies(self) -> bool:
        """Whether the gateway runs the policies itself, and so tries them before it takes them."""
        return self.policy_engine == "embedded"

    @model_validator(mode="after")
    def _safe(self) -> Settings:
        if self.environment == "production" and self.crash_at is not None:
            raise ValueError("CHANGEOVER_CRASH_AT is for tests: production refuses it")
        return self


def settings(**given: Any) -> Settings:
    """The settings, with what the command line says above the environment."""
    return Settings(**{name: value for name, value in given.items() if value is not None})


def shipped() -> Path:
    """The reference deployment: inside the wheel, or the checkout itself."""
    here = Path(__file__).parent
    packed = here / "_content"
    return packed if packed.is_dir() else here.parent
