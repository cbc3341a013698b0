"""``torch.backends.mps``: the answer that there is no GPU of Apple's."""


def is_available() -> bool:
    """Whether there is a GPU of Apple's to compute on: no."""
    return False


def is_built() -> bool:
    """Whether the library was built for one: no."""
    return False
