"""The norms under their names in ``torch``: in another order of arguments, and with the statistics as further results."""

from .normalization import (
    choose_batch_norm,
    choose_group_norm,
    choose_instance_norm,
    choose_layer_norm,
    mean_and_var,
)
from .steps import perform
from .table import overload


def in_torch(signature, doc, choose):
    """Declare a name of ``torch``, which in ``nn.functional`` is another function."""
    name, _, rest = signature.partition("(")
    overload(f"{name}_in_torch({rest}", doc, choose, method=False, homes=(f"torch:{name}",))


AFFINE = "input, weight, bias, running_mean, running_var"
in_torch(
    f"batch_norm({AFFINE}, training, momentum, eps, cudnn_enabled)",
    "``nn.functional.batch_norm`` with other positions of its arguments.",
    lambda input, weight, bias, mean, var, training, momentum, eps, cudnn_enabled: choose_batch_norm(
        input, mean, var, weight, bias, training, momentum, eps
    ),
)
in_torch(
    f"instance_norm({AFFINE}, use_input_stats, momentum, eps, cudnn_enabled)",
    "``nn.functional.instance_norm`` with other positions of its arguments.",
    lambda input, weight, bias, mean, var, use_input_stats, momentum, eps, cudnn_enabled: choose_instance_norm(
        input, mean, var, weight, bias, use_input_stats, momentum, eps
    ),
)
in_torch(
    "layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05, cudnn_enable=True)",
    "The last dims, of ``normalized_shape``, at mean 0 and variance 1, then times ``weight`` plus ``bias``.",
    lambda input, normalized_shape, weight, bias, eps, cudnn_enable: choose_layer_norm(
        input, normalized_shape, weight, bias, eps
    ),
)
in_torch(
    "group_norm(input, num_groups, weight=None, bias=None, eps=1e-05, cudnn_enabled=True)",
    "Groups of the channels of each sample at mean 0 and variance 1, then each channel times its ``weight`` plus its ``bias``.",
    lambda input, num_groups, weight, bias, eps, cudnn_enabled: choose_group_norm(input, num_groups, weight, bias, eps),
)


# -- with the statistics -----------------------------------------------------------------------------------------------


def moments(stats, eps, shape):
    """The mean, and one over the deviation, in a shape."""
    return stats[0].reshape(shape), (stats[1] + eps).rsqrt().reshape(shape)


def choose_native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps):
    step, args = choose_batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    result = perform(step, *args)
    if training:
        return None, (result, *moments(args[1], eps, (input.shape[1],)))
    return None, (result, input.new_empty((0,)), input.new_empty((0,)))


def choose_native_layer_norm(input, normalized_shape, weight, bias, eps):
    step, args = choose_layer_norm(input, normalized_shape, weight, bias, eps)
    n = len(normalized_shape)
    return None, (perform(step, *args), *moments(args[1], eps, (*input.shape[: input.ndim - n], *[1] * n)))


def choose_native_group_norm(input, weight, bias, samples, channels, inner, group, eps):
    step, args = choose_group_norm(input.reshape((samples, channels, inner)), group, weight, bias, eps)
    stats = perform(mean_and_var, args[0], args[2])  # these have a derivative, the other norms' have not
    return None, (perform(step, *args).reshape(input.shape), *moments(stats, eps, (samples, group)))


def native(signature, choose):
    """Declare a norm that also gives its statistics."""
    norm = signature.split("(")[0].removeprefix("native_")
    doc = f"``{norm}``, the mean of each part that it normalises, and one over the deviation."
    overload(signature, doc, choose, method=False)


native(f"native_batch_norm({AFFINE}, training, momentum, eps)", choose_native_batch_norm)
native("native_layer_norm(input, normalized_shape, weight, bias, eps)", choose_native_layer_norm)
native("native_group_norm(input, weight, bias, N, C, HxW, group, eps)", choose_native_group_norm)
