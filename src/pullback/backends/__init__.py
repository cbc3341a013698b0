"""``torch.backends``: which libraries compute, as scripts ask and set it. Here NumPy, SciPy and their BLAS do.

Settings of libraries that are not here can be read and set, and change nothing.
"""

from . import cpu, cuda, cudnn, mkl, mkldnn, mps, openmp, opt_einsum

__all__ = ["cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "opt_einsum"]
