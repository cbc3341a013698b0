"""Exceptions that PyTorch has a type of its own for, and that kernels raise as well as checks."""


class LinAlgError(RuntimeError):
    """A matrix is not what an algorithm of linear algebra needs: it is singular, or an iteration does not converge."""


# As which it is shown and pickled.
LinAlgError.__module__, LinAlgError.__name__, LinAlgError.__qualname__ = "pullback._C", "_LinAlgError", "_LinAlgError"
