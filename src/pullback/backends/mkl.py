"""``torch.backends.mkl``."""


def is_available() -> bool:
    """Whether MKL computes."""
    return False
