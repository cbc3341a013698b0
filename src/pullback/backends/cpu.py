"""``torch.backends.cpu``."""


def get_cpu_capability() -> str:
    """Which instructions the processor has: NumPy chooses them by itself."""
    return "DEFAULT"
