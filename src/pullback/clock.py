"""The one logical clock: a counter that only grows.

Every graph node and every in-place write takes a tick. A node's tick orders the backward pass, and a saved value is
stale exactly when its storage was written after the node was made.
"""

from itertools import count

tick = count(1).__next__
