"""`python -m gateway` is the command `changeover`."""

from gateway.cli import main

main()
