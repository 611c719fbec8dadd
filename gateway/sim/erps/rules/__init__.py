"""The business rules: what each verb on each kind of document checks, changes and derives."""
