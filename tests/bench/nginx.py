"""nginx as the measure: `proxy_pass` with kept connections, one worker, no access log; and as the fast fixed ERP."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

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
_FIXED = """  open_file_cache max=16;
  open_file_cache_valid 3600s;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root {place}/fixed;
    add_header DataServiceVersion 2.0 always;
    add_header X-CSRF-Token fixed always;
    location / {{ rewrite ^ /read.json break; error_page 405 =201 /created.json; }}
    location = /created.json {{ }}
  }}
"""


def missing() -> str | None:
    """Why there is no nginx to measure against, if so."""
    if shutil.which("nginx", path=_path()):
        return None
    return "nginx is not installed (Debian: apt-get install nginx-light)"


def binary() -> str:
    return str(shutil.which("nginx", path=_path()))


def command(config: Path) -> list[str]:
    return [binary(), "-p", str(config.parent), "-c", str(config)]


def proxy(place: Path, ports: Mapping[int, int], files: int) -> Path:
    """A configuration that proxies each port to the other one of its pair."""
    return _written(place, "".join(_PROXY.format(port=port, to=to) for port, to in ports.items()), files)


def fixed(place: Path, port: int, read: bytes, created: bytes, files: int) -> Path:
    """A configuration that answers every GET and every POST with one document."""
    (place / "fixed").mkdir(parents=True)
    (place / "fixed/read.json").write_bytes(read)
    (place / "fixed/created.json").write_bytes(created)
    return _written(place, _FIXED.format(place=place, port=port), files)


def _written(place: Path, servers: str, files: int) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    user = "user root;" if os.geteuid() == 0 else ""
    config = place / "nginx.conf"
    text = _COMMON.format(place=place, user=user, files=files, connections=files // 2, servers=servers)
    config.write_text(text)
    return config


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
