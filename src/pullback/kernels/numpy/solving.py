"""Systems of linear equations, by LAPACK."""

import numpy as np

from .products import in_float32
from .registry import kernel


@kernel
@in_float32
def solve_square(input: np.ndarray, other: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.solve(input, other)
    except np.linalg.LinAlgError:
        raise RuntimeError(
            f"The solver failed because the input matrix is singular; it has shape {list(input.shape)}"
        ) from None
