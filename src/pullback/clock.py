"""The one logical clock: a counter that only grows.

Every graph node and every in-place write takes a tick. A node's tick orders the backward pass, and a saved value is
stale exactly when its storage was written after the node was made.
"""

import sys
from itertools import count

from .context import HAS_GIL, make_lock

tick = count(1).__next__

if not HAS_GIL and sys.version_info < (3, 14):  # where counting is not one step
    _count, _lock = tick, make_lock()

    def tick() -> int:
        with _lock:
            return _count()
