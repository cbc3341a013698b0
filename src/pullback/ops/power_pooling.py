"""Power-average pooling: the p-norm of each window, as a formula over average pooling."""

from math import inf, prod

from .steps import need_tensors, perform, sizes
from .table import OVERLOADS, TABLE, overload


def prepared_step(name, *args):
    """Run an operation as a step, its arguments prepared as a user's are."""
    return perform(TABLE[name], *TABLE[name].prepare(*args))  # type: ignore[misc]


def declare(n):
    name = f"lp_pool{n}d"

    def choose(input, norm_type, kernel_size, stride, ceil_mode):
        need_tensors(name, input=input)
        if norm_type == inf:
            return OVERLOADS[f"max_pool{n}d"].choose(input, kernel_size, stride, 0, 1, ceil_mode, False)
        if norm_type == 0:
            raise ZeroDivisionError(f"{name}: norm_type is 0, whose root there is not")
        if n == 1 and isinstance(kernel_size, (tuple, list)):
            raise TypeError(f"{name}(): argument 'kernel_size' must be int, not {type(kernel_size).__name__}")
        count = prod(sizes(name, "kernel_size", kernel_size, n))
        rest = () if n == 1 else (None,)
        mean = prepared_step(f"avg_pool{n}d", input.pow(norm_type), kernel_size, stride, 0, ceil_mode, True, *rest)
        return None, (mean.sign() * mean.abs().relu()).mul(count).pow(1.0 / norm_type)

    overload(
        f"{name}(input, norm_type, kernel_size, stride=None, ceil_mode=False)",
        "The root of order ``norm_type`` of the sum of that power of each window's elements; their maximum, where it is infinite.",
        choose,
        method=False,
        homes=("nn.functional",),
    )


for n in (1, 2, 3):
    declare(n)
