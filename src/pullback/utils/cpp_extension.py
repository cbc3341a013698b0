"""``torch.utils.cpp_extension``: extensions in C++, which are written against PyTorch's own headers."""

from typing import Any, NoReturn

CUDA_HOME = ROCM_HOME = None


def _refuse(*args: Any, **options: Any) -> NoReturn:
    """Raises RuntimeError: there are no headers to compile against."""
    raise RuntimeError(
        "torch.utils.cpp_extension: extensions in C++ or CUDA are compiled against PyTorch, and cannot work on Pullback's "
        "tensors. torch.library.custom_op or torch.autograd.Function take an operation in Python (ctypes, Numba, ...)."
    )


load = load_inline = CppExtension = CUDAExtension = BuildExtension = include_paths = library_paths = _refuse
