"""What one client may cost: every limit of the HTTP edge, in one value handed in by the composition root."""

from __future__ import annotations

from dataclasses import dataclass

METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """The limits of one listening port. The defaults are the production ones."""

    max_header_bytes: int = 32 * 1024
    """Request line and header section together."""
    max_headers: int = 100
    max_uri_bytes: int = 8 * 1024
    max_body_bytes: int = 8 * 1024 * 1024
    max_framing_bytes: int = 16 * 1024
    """Chunk sizes, chunk extensions and trailers of one body; an eighth of the body comes on top."""
    max_chunk_events: int = 1024
    """Chunks any body may have; beyond them the mean chunk must be at least `min_mean_chunk_bytes`."""
    min_mean_chunk_bytes: int = 64
    header_timeout_s: float = 5.0
    """From the first byte (or the connect) to the end of the header section."""
    body_grace_s: float = 10.0
    """How long a body may take before the rate counts."""
    body_min_bytes_per_s: int = 1024
    body_total_s: float = 60.0
    keep_alive_s: float = 5.0
    linger_s: float = 1.0
    """How long the rest of a refused request is read and thrown away, so that the client sees the answer."""
    max_linger_bytes: int = 256 * 1024
    max_connections_per_ip: int | None = 512
    """None where a load balancer is the only peer and does the counting."""
    hosts: frozenset[str] | None = None
    """The names in `Host` this port answers to, lower case, without port; None takes every valid one."""
    methods: frozenset[str] = METHODS
