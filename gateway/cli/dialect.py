"""`changeover dialect`."""

import typer

app = typer.Typer()


def drift() -> None:
    """Not yet."""
