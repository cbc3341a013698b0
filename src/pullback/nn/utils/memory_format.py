"""The weights of convolutions in another memory format."""

from typing import Any

from ..modules.conv import Conv2d, Conv3d, ConvTranspose2d, ConvTranspose3d

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]


def convert_conv2d_weight_memory_format(module: Any, memory_format: Any) -> Any:
    """Lay the weights of all 2-dimensional convolutions in a module out in a memory format; returns the module."""
    return converted(module, memory_format, (Conv2d, ConvTranspose2d))


def convert_conv3d_weight_memory_format(module: Any, memory_format: Any) -> Any:
    """Lay the weights of all 3-dimensional convolutions in a module out in a memory format; returns the module."""
    return converted(module, memory_format, (Conv3d, ConvTranspose3d))


def converted(module: Any, memory_format: Any, kinds: tuple) -> Any:
    for each in module.modules():
        if isinstance(each, kinds):
            each.weight.data = each.weight.detach().clone().contiguous(memory_format=memory_format)
    return module
