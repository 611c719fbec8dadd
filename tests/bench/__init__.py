"""The gateway's full job against nginx, measured: `python -m tests.bench [--quick] [--only PART,...] [--json]`."""
