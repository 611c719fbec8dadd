"""nginx as the measure: `proxy_pass` with kept connections, one worker, no access log; and as the fast fixed ERP."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.packages import program

_COMMON = """daemon off;
worker_processes 1;
worker_rlimit_nofile {files};
pid {place}/nginx.pid;
error_log {place}/error.log warn;
{user}
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  keepalive_timeout 3600s;
  keepalive_requests 100000000;
  default_type application/json;
  client_body_temp_path {place}/body;
  proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi;
  scgi_temp_path {place}/scgi;
{servers}
}}
"""
_PROXY = """  upstream erp_{port} {{ server 127.0.0.1:{to}; keepalive 4096; keepalive_requests 100000000; keepalive_timeout 3600s; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://erp_{port};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffers 8 8k;
      proxy_buffer_size 8k;
    }}
  }}
"""
# A number is made of the connection's own and of how many calls came on it: no two creates get the same one.
_FIXED = """  geo $dollar {{ default "$"; }}
  log_format created "$number";
  open_file_cache max=16;
  open_file_cache_valid 3600s;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root {place}/fixed;
    add_header DataServiceVersion 2.0 always;
    add_header X-CSRF-Token fixed always;
    location / {{
      if ($request_method = POST) {{ rewrite ^ /created last; }}
      rewrite ^ /read.json break;
    }}
    location = /oauth/token {{ return 200 '{token}'; }}
    location = /created {{
      internal;
      access_log {log} created buffer=16k flush=1s;
      set $caller "00000$connection";
      if ($caller ~ "(.{{5}})$") {{ set $caller $1; }}
      set $call "0000000$connection_requests";
      if ($call ~ "(.{{7}})$") {{ set $call $1; }}
      set $number "$caller$call";
{pieces}
      return 201 "{answer}";
    }}
  }}
"""
_PIECE = 900
"""Characters in one parameter; nginx takes 4,096 bytes, quoted and in UTF-8."""
TOKEN = '{"access_token":"fixed","token_type":"Bearer","expires_in":36000}'


def missing() -> str | None:
    """Why there is no nginx to measure against, if so."""
    return None if program("nginx") else "nginx is not installed (Debian: apt-get install nginx-light)"


def binary() -> str:
    return str(program("nginx"))


def command(config: Path) -> list[str]:
    return [binary(), "-p", str(config.parent), "-c", str(config)]


def proxy(place: Path, ports: Mapping[int, int], files: int) -> Path:
    """A configuration that proxies each port to the other one of its pair."""
    return _written(place, "".join(_PROXY.format(port=port, to=to) for port, to in ports.items()), files)


def fixed(place: Path, port: int, read: bytes, around: Sequence[bytes], files: int) -> Path:
    """A configuration that answers every GET with one document, and every POST with one that has a number of its own.

    The numbers are written to `created_log(place)`.
    """
    (place / "fixed").mkdir(parents=True)
    (place / "fixed/read.json").write_bytes(read)
    pieces, answer = _answer(around)
    values = {"place": place, "port": port, "log": created_log(place), "token": TOKEN}
    return _written(place, _FIXED.format(**values, pieces=pieces, answer=answer), files)


def created_log(place: Path) -> Path:
    """Where the numbers given stand, a line for each, at most a second late."""
    return place / "created.log"


def _answer(around: Sequence[bytes]) -> tuple[str, str]:
    """The answer to a create: the variables that its text is put into, and the text that has them."""
    names: dict[str, str] = {}

    def named(text: str) -> str:
        parts = (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))
        return "".join(f"${{{names.setdefault(part, f'piece_{len(names)}')}}}" for part in parts)

    def written(text: str) -> str:
        # A dollar sign begins a variable, and there is no other way to say one.
        return "${dollar}".join(named(part) for part in text.split("$"))

    answer = "$number".join(written(part.decode()) for part in around)
    return "\n".join(f"      set ${name} '{_quoted(part)}';" for part, name in names.items()), answer


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _written(place: Path, servers: str, files: int) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    user = "user root;" if os.geteuid() == 0 else ""
    config = place / "nginx.conf"
    text = _COMMON.format(place=place, user=user, files=files, connections=files // 2, servers=servers)
    config.write_text(text)
    return config
