"""Python reads this when it starts, in the processes that tests start: their handlers are watched, too."""

import os

from watched import FILE, watch

if FILE in os.environ:
    watch(os.environ[FILE])
