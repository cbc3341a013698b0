"""``torch.backends.openmp``."""


def is_available() -> bool:
    """Whether OpenMP runs threads."""
    return True
