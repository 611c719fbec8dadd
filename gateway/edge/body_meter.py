"""What one body has cost so far, on the wire and in time (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.edge.limits import EdgeLimits
from gateway.errors import Malformed, TooLarge


@dataclass(slots=True)
class BodyMeter:
    """Counts; raises when a body costs more than it may. `started_s` is on the clock of the event loop."""

    limits: EdgeLimits
    started_s: float = 0.0
    wire_bytes: int = 0
    body_bytes: int = 0
    chunks: int = 0

    def add_chunk(self) -> None:
        """Raises: Malformed, for a body of crumbs."""
        self.chunks += 1
        if self.chunks > self.limits.max_chunk_events + self.body_bytes // self.limits.min_mean_chunk_bytes:
            raise Malformed("The chunks are too many and too small.")

    def check(self, *, chunked: bool) -> None:
        """Raises: TooLarge; Malformed, for chunk extensions and trailers beyond their share."""
        if self.body_bytes > self.limits.max_body_bytes:
            raise TooLarge("The body is too large.", limit_bytes=self.limits.max_body_bytes)
        framing_bytes = self.wire_bytes - self.body_bytes
        if chunked and framing_bytes > self.limits.max_framing_bytes + self.body_bytes // 8:
            raise Malformed("The chunk extensions or trailers are too large.")

    def deadline_s(self) -> float:
        """When the next byte must have come: the grace, and a second more for each second's worth of bytes."""
        earned_s = self.limits.body_grace_s + self.wire_bytes / self.limits.body_min_bytes_per_s
        return self.started_s + min(self.limits.body_total_s, earned_s)
