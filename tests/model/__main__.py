"""`python -m tests.model`."""

from tests.model.run import main

raise SystemExit(main())
