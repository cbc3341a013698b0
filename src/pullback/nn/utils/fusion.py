"""A batch norm in evaluation as part of the linear layer or convolution before it."""

import copy
from typing import Any

from ..parameter import Parameter

__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]


def check_evaluation(*modules: Any) -> None:
    if any(module.training for module in modules):
        raise AssertionError("Fusion only for eval!")


def statistics_of(bn: Any) -> Any:
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("Fusing needs running statistics: the batch norm has track_running_stats=False")
    return bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """A convolution that does what one and a batch norm after it do, both in evaluation."""
    check_evaluation(conv, bn)
    fused = copy.deepcopy(conv)
    options = (*statistics_of(bn), transpose)
    fused.weight, fused.bias = fuse_conv_bn_weights(fused.weight, fused.bias, *options)
    return fused


def fuse_conv_bn_weights(
    conv_w: Any, conv_b: Any, bn_rm: Any, bn_rv: Any, bn_eps: float, bn_w: Any, bn_b: Any, transpose: bool = False
) -> tuple:
    """The weight and bias of such a convolution; ``transpose`` where the output's channels are the weight's second dim."""
    place = (1, -1) if transpose else (-1, 1)
    return fused_parameters(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, (*place, *[1] * (conv_w.ndim - 2)))


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """A linear layer that does what one and a batch norm after it do, both in evaluation."""
    check_evaluation(linear, bn)
    fused = copy.deepcopy(linear)
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1: got "
            f"{linear.out_features} and {bn.num_features}"
        )
    fused.weight, fused.bias = fuse_linear_bn_weights(fused.weight, fused.bias, *statistics_of(bn))
    return fused


def fuse_linear_bn_weights(
    linear_w: Any, linear_b: Any, bn_rm: Any, bn_rv: Any, bn_eps: float, bn_w: Any, bn_b: Any
) -> tuple:
    """The weight and bias of such a linear layer."""
    return fused_parameters(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, (-1, 1))


def fused_parameters(
    weight: Any, bias: Any, mean: Any, variance: Any, eps: float, bn_w: Any, bn_b: Any, shape: tuple
) -> tuple:
    scale = (variance + eps).rsqrt()
    scale = scale if bn_w is None else bn_w * scale
    shifted = (-mean if bias is None else bias - mean) * scale
    shifted = shifted if bn_b is None else shifted + bn_b
    fused = (weight * scale.reshape(shape)).to(weight.dtype)
    shifted = shifted.to(weight.dtype if bias is None else bias.dtype)
    return Parameter(fused.detach(), weight.requires_grad), Parameter(
        shifted.detach(), bias is not None and bias.requires_grad
    )
