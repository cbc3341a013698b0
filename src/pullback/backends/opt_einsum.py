"""``torch.backends.opt_einsum``."""


def is_available() -> bool:
    """Whether opt_einsum chooses the order of einsum's products."""
    return False


enabled = False
strategy = None
