"""Eigenvalues, singular values and their vectors, by LAPACK."""

import numpy as np

from ...errors import LinAlgError
from .registry import kernel


def solved(op_name, solver, input, *args, **options):
    """What a solver of NumPy gives; its failure as PyTorch's error. Only matrices without elements may be of dtypes that it lacks."""
    if input.dtype.char not in "fdFD":
        found = solved(op_name, solver, input.astype(np.float32), *args, **options)
        several = isinstance(found, tuple)
        return tuple(f.astype(input.dtype) for f in found) if several else found.astype(input.dtype)
    try:
        return solver(input, *args, **options)
    except np.linalg.LinAlgError:
        if not np.isfinite(input).all():
            raise LinAlgError(
                f"{op_name}: The algorithm failed to converge because the input matrix contained non-finite values."
            ) from None
        raise LinAlgError(
            f"{op_name}: The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated "
            "singular values or eigenvalues"
        ) from None


@kernel
def linalg_eigh(input, UPLO="L"):
    return tuple(solved("linalg.eigh", np.linalg.eigh, input, UPLO))


@kernel
def linalg_eigvalsh(input, UPLO="L"):
    return solved("linalg.eigh", np.linalg.eigvalsh, input, UPLO)


def need_finite(op_name, input):
    if not np.isfinite(input).all():
        raise RuntimeError(f"torch.{op_name}: input tensor should not contain infs or NaNs.")


def complex_of(dtype):
    return np.result_type(dtype if dtype.char in "fdFD" else np.float32, np.complex64)


@kernel
def linalg_eig(input):
    need_finite("linalg.eig", input)
    return tuple(
        part.astype(complex_of(input.dtype), copy=False) for part in solved("linalg.eig", np.linalg.eig, input)
    )


@kernel
def linalg_eigvals(input):
    need_finite("linalg.eig", input)
    return solved("linalg.eig", np.linalg.eigvals, input).astype(complex_of(input.dtype), copy=False)


@kernel
def linalg_svd(A, full_matrices=True, driver=None):
    return tuple(solved("linalg.svd", np.linalg.svd, A, full_matrices=full_matrices))


@kernel
def linalg_svdvals(A, driver=None):
    return solved("linalg.svd", np.linalg.svd, A, compute_uv=False)


@kernel
def phase_free(input, op_name):
    """PyTorch's tolerance; its absolute part is PyTorch's too."""
    if input.dtype.kind == "c" and not np.allclose(input.imag, 0, atol=1e-2):
        what = "singular vectors" if op_name.startswith("svd") else "eigenvectors"
        raise RuntimeError(
            f"{op_name}: The {what} in the complex case are specified up to multiplication by e^(i phi). The specified loss "
            f"function depends on this quantity, so it is ill-defined: its derivative by phi is as large as "
            f"{np.abs(input.imag).max():.3g}. Use a loss that is the same for every phi."
        )
    return input
