"""Kernels of Fourier transforms: SciPy's, which keep single precision."""

import numpy as np

from .registry import kernel

FORWARD = (
    "backward",
    "ortho",
    "forward",
)  # SciPy's words for what a sum is divided by: nothing, its terms' number's root, that
INVERSE = FORWARD[::-1]


@kernel
def _fft_c2c(input, dim, normalization, forward):
    from scipy.fft import fftn, ifftn

    if not dim:
        return input.copy()
    norm = (FORWARD if forward else INVERSE)[normalization]
    return (fftn if forward else ifftn)(input, axes=dim, norm=norm)


@kernel
def _fft_r2c(input, dim, normalization, onesided):
    from scipy.fft import fftn, rfft, rfftn

    norm = FORWARD[normalization]
    if onesided:
        return rfftn(input, axes=dim, norm=norm)
    full = mirrored(rfft(input, axis=dim[-1], norm=norm), dim[-1], input.shape[dim[-1]])
    return fftn(full, axes=dim[:-1], norm=norm) if dim[1:] else full


def mirrored(half, dim, size):
    """All ``size`` frequencies of a real signal along a dim, from the first half."""
    full = np.empty((*half.shape[:dim], size, *half.shape[dim + 1 :]), half.dtype)
    target, source = np.moveaxis(full, dim, 0), np.moveaxis(half, dim, 0)
    target[: len(source)] = source
    np.conjugate(source[1 : (size + 1) // 2][::-1], out=target[len(source) :])
    return full


@kernel
def _fft_c2r(input, dim, normalization, last_dim_size):
    from scipy.fft import irfftn

    sizes = [input.shape[d] for d in dim[:-1]]
    return irfftn(input, (*sizes, last_dim_size), axes=dim, norm=INVERSE[normalization])


@kernel
def weigh_mirrored(input, factor, dim, size):
    result = input.copy()
    np.moveaxis(result, dim, 0)[1 : (size + 1) // 2] *= factor
    return result


@kernel
def covered(input):
    least = np.abs(input).min()
    if least < 1e-11:
        raise RuntimeError(
            f"istft: window overlap add min: {least}; every element of the signal must be in some window that is not zero "
            "there; take smaller hops, or another window"
        )
    return input
