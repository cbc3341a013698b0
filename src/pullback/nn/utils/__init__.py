"""What is done to the parameters of a model together, and to those of a module one by one."""

from importlib import import_module as _import_module
from typing import Any as _Any

from ...naming import missing_attribute as _missing_attribute
from . import rnn
from .clip_grad import clip_grad_norm, clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm
from .convert_parameters import parameters_to_vector, vector_to_parameters
from .spectral_norm import remove_spectral_norm, spectral_norm
from .weight_norm import remove_weight_norm, weight_norm

_WHEN_USED = {  # names by the modules that hold them, which are imported when they are asked for
    "fusion": ("fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"),
    "init": ("skip_init",),
    "memory_format": ("convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"),
    "parametrizations": (),
    "parametrize": (),
    "prune": (),
    "stateless": (),
}
_HOLDERS = {**{module: module for module in _WHEN_USED}, **{n: m for m, names in _WHEN_USED.items() for n in names}}

__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "convert_conv2d_weight_memory_format",
    "convert_conv3d_weight_memory_format",
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
    "get_total_norm",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "remove_spectral_norm",
    "remove_weight_norm",
    "rnn",
    "skip_init",
    "spectral_norm",
    "vector_to_parameters",
    "weight_norm",
]  # fmt: skip


def __getattr__(name: str) -> _Any:
    if name not in _HOLDERS:
        raise _missing_attribute(__name__, name, [*globals(), *_HOLDERS])
    module = _import_module(f"{__name__}.{_HOLDERS[name]}")
    for each in _WHEN_USED[_HOLDERS[name]]:
        globals()[each] = getattr(module, each)
    return globals().get(name, module)
