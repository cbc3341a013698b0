"""``torch.backends.cuda``: settings of computing on GPUs, which can be set and change nothing."""

from types import SimpleNamespace

matmul = SimpleNamespace(
    allow_tf32=False, allow_fp16_reduced_precision_reduction=True, allow_bf16_reduced_precision_reduction=True
)
_kernels = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True}


def is_built() -> bool:
    """Whether the library was built for CUDA: no."""
    return False


def flash_sdp_enabled() -> bool:
    """Whether attention may use that kernel of GPUs."""
    return _kernels["flash"]


def mem_efficient_sdp_enabled() -> bool:
    """Whether attention may use that kernel of GPUs."""
    return _kernels["mem_efficient"]


def math_sdp_enabled() -> bool:
    """Whether attention may use that kernel of GPUs."""
    return _kernels["math"]


def cudnn_sdp_enabled() -> bool:
    """Whether attention may use that kernel of GPUs."""
    return _kernels["cudnn"]


def enable_flash_sdp(enabled: bool) -> None:
    """Say whether attention may use that kernel of GPUs."""
    _kernels["flash"] = enabled


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Say whether attention may use that kernel of GPUs."""
    _kernels["mem_efficient"] = enabled


def enable_math_sdp(enabled: bool) -> None:
    """Say whether attention may use that kernel of GPUs."""
    _kernels["math"] = enabled


def enable_cudnn_sdp(enabled: bool) -> None:
    """Say whether attention may use that kernel of GPUs."""
    _kernels["cudnn"] = enabled
