"""Load: closed loop on kept connections (wrk, or our own), open loop at a fixed rate, and many calls in flight."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.bench.processes import BenchError

_SETTLE_S = 60.0
_LUA = """wrk.method = "{method}"
wrk.body = {body}
{headers}
done = function(summary)
  local e = summary.errors
  io.write(string.format("\\n@@%d %d %d\\n", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request, the same every time."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def wire(self) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: 127.0.0.1", *(f"{n}: {v}" for n, v in self.headers)]
        if self.body:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


@dataclass(frozen=True, slots=True)
class Closed:
    """What a closed loop did."""

    requests: int
    seconds: float
    errors: int


class Connection(asyncio.Protocol):
    """One kept connection of a client: a request out, its answer read to the end."""

    def __init__(self) -> None:
        self._inbox = bytearray()
        self._needed = -1
        self._answered: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvloop's is no subclass
        self.transport = transport

    def send(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Gives: status and answer, head included."""
        self._answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answered

    def data_received(self, data: bytes) -> None:
        self._inbox += data
        if self._needed < 0:
            end = self._inbox.find(b"\r\n\r\n")
            if end < 0:
                return
            self._needed = end + 4 + _length(bytes(self._inbox[:end]).lower())
        if len(self._inbox) >= self._needed:
            whole = bytes(self._inbox)
            self._inbox.clear()
            self._needed = -1
            if self._answered is not None and not self._answered.done():
                self._answered.set_result((int(whole[9:12]), whole))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(ConnectionError("the connection ended before the answer"))


def _length(head: bytes) -> int:
    _, found, rest = head.partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


async def connect(port: int) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


def ask(port: int, call: Call) -> tuple[int, dict[str, str], bytes]:
    """One call on a connection of its own. Gives: status, headers in lower case, body."""
    return asking(port, call, 1)[0]


def asking(port: int, call: Call, times: int) -> list[tuple[int, dict[str, str], bytes]]:
    """The same call several times, one after the other on one connection."""

    async def run() -> list[bytes]:
        connection = await connect(port)
        try:
            return [(await asyncio.wait_for(connection.send(call.wire()), _SETTLE_S))[1] for _ in range(times)]
        finally:
            connection.transport.close()

    return [_parsed(answer) for answer in uvloop.run(run())]


def _parsed(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines[1:])
    return int(lines[0].split()[1]), {name.lower(): value.strip() for name, _, value in pairs}, body


# Closed loop


def wrk_missing() -> str | None:
    return (
        None if shutil.which("wrk") else "wrk is not installed (Debian: apt-get install wrk); our own client loads less"
    )


def closed_loop(port: int, call: Call, connections: int, seconds: float, place: Path) -> Closed:
    """Every connection sends its next request as soon as the last one is answered."""
    if wrk_missing():
        return uvloop.run(_own_closed(port, call, connections, seconds))
    return _wrk(port, call, connections, seconds, place)


def _wrk(port: int, call: Call, connections: int, seconds: float, place: Path) -> Closed:
    headers = "\n".join(f'wrk.headers["{name}"] = {json.dumps(value)}' for name, value in call.headers)
    body = f"[==[{call.body.decode()}]==]" if call.body else "nil"
    script = place / f"{call.method.lower()}.lua"
    script.write_text(_LUA.format(method=call.method, body=body, headers=headers))
    # wrk takes whole seconds only.
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s", str(script)]
    run = subprocess.run([*command, f"http://127.0.0.1:{port}{call.path}"], capture_output=True, text=True, check=False)
    _, found, line = run.stdout.partition("@@")
    if run.returncode or not found:
        raise BenchError(f"wrk failed: {run.stdout} {run.stderr}")
    requests, microseconds, errors = (int(word) for word in line.split())
    return Closed(requests, microseconds / 1e6, errors)


async def _own_closed(port: int, call: Call, connections: int, seconds: float) -> Closed:
    end_s = time.perf_counter() + seconds
    counts = [0, 0]

    async def loop(connection: Connection) -> None:
        request = call.wire()
        while time.perf_counter() < end_s:
            status, _ = await connection.send(request)
            counts[0] += 1
            counts[1] += not 200 <= status < 300

    began = time.perf_counter()
    opened = [await connect(port) for _ in range(connections)]
    results = await asyncio.gather(*(loop(each) for each in opened), return_exceptions=True)
    for each in opened:
        each.transport.close()
    return Closed(
        counts[0], time.perf_counter() - began, counts[1] + sum(isinstance(r, BaseException) for r in results)
    )


# Open loop


def open_loop(port: int, call: Call, rate_per_s: float, seconds: float) -> tuple[list[float], int]:
    """Send at a fixed rate, whatever comes back. Gives: ms from the intended moment of sending, sorted; and errors."""
    return uvloop.run(_open_loop(port, call, rate_per_s, seconds))


async def _open_loop(port: int, call: Call, rate_per_s: float, seconds: float) -> tuple[list[float], int]:
    request = call.wire()
    idle = [await connect(port) for _ in range(64)]
    for each in idle:  # the first request of a connection is not what is measured
        await each.send(request)
    taken_ms: list[float] = []
    errors = [0]

    async def one(intended_s: float) -> None:
        try:
            connection = idle.pop() if idle else await connect(port)
            status, _ = await asyncio.wait_for(connection.send(request), _SETTLE_S)
        except (OSError, TimeoutError):
            errors[0] += 1
            return
        taken_ms.append((time.perf_counter() - intended_s) * 1000)
        errors[0] += status != 200
        idle.append(connection)

    start_s = time.perf_counter() + 0.1
    tasks = set()
    for number in range(int(rate_per_s * seconds)):
        intended_s = start_s + number / rate_per_s
        wait_s = intended_s - time.perf_counter()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        tasks.add(asyncio.create_task(one(intended_s)))
    await asyncio.gather(*tasks)
    for each in idle:
        each.transport.close()
    return sorted(taken_ms), errors[0]


# In flight


@dataclass(frozen=True, slots=True)
class InFlight:
    """What many calls at once did. `peak` is the most that were under way as the client counts."""

    answered: int
    errors: int
    peak: int
    seconds: float
    first_error: str


def in_flight(port: int, call: Call, count: int, seconds: float, watch: Callable[[], None]) -> InFlight:
    """Keep `count` calls under way for some seconds (0: each connection calls once); `watch` runs four times a second."""
    return uvloop.run(_in_flight(port, call, count, seconds, watch))


async def _in_flight(port: int, call: Call, count: int, seconds: float, watch: Callable[[], None]) -> InFlight:
    request = call.wire()
    answered = errors = under_way = peak = 0
    first_error = ""
    opened = [await connect(port) for _ in range(count)]
    began = time.perf_counter()

    async def loop(connection: Connection) -> None:
        nonlocal answered, errors, under_way, peak, first_error
        while True:
            under_way += 1
            peak = max(peak, under_way)
            try:
                status, whole = await asyncio.wait_for(connection.send(request), _SETTLE_S)
                wrong = "" if status == 200 else whole[-300:].decode("latin-1")
            except (OSError, TimeoutError) as err:
                wrong = repr(err)
            under_way -= 1
            answered += not wrong
            errors += bool(wrong)
            first_error = first_error or wrong
            if wrong or time.perf_counter() - began >= seconds:
                return

    watcher = asyncio.create_task(_watching(watch))
    await asyncio.gather(*(loop(each) for each in opened))
    watcher.cancel()
    await asyncio.gather(watcher, return_exceptions=True)
    for each in opened:
        each.transport.close()
    return InFlight(answered, errors, peak, time.perf_counter() - began, first_error)


async def _watching(watch: Callable[[], None]) -> None:
    while True:
        watch()
        await asyncio.sleep(0.25)
