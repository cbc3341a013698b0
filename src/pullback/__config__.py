"""``torch.__config__``: how the library was built, as text."""

__all__ = ["parallel_info", "show"]


def show() -> str:
    """What Pullback computes with."""
    import numpy
    import scipy

    from .version import __version__

    return f"Pullback {__version__} built with:\n  - NumPy {numpy.__version__}\n  - SciPy {scipy.__version__}\n"


def parallel_info() -> str:
    """How many threads an operation may use."""
    from .runtime import get_num_interop_threads, get_num_threads

    return f"get_num_threads() : {get_num_threads()}\nget_num_interop_threads() : {get_num_interop_threads()}\n"
