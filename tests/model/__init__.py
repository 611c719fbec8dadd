"""The dual-write protocol as a model that spin searches: `python -m tests.model [--mutant NAME] [--json] [--full]`."""
