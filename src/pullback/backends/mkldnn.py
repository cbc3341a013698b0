"""``torch.backends.mkldnn``: settings of a library that does not compute here; they change nothing."""

enabled = True
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """Whether oneDNN computes: no."""
    return False
