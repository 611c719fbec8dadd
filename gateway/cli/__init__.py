"""The command `changeover`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from gateway.cli.main import app  # noqa: PLC0415  # the imports of all commands are slow; --version need not wait for them

        app()
    except KeyboardInterrupt:  # before a command had begun
        sys.exit(130)
