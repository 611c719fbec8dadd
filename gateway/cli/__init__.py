"""The command `changeover`."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from gateway.cli.main import app  # noqa: PLC0415  # the imports of all commands are slow; --version need not wait for them

    app()
