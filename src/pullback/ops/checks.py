"""Checks that several families of operations share: dimensions, dtypes and flags given by the user."""

from operator import index

BOOL, INTEGER, FLOATING, COMPLEX = range(4)  # categories of dtypes, as in `dtypes.py`


def refused_bool(value):
    """A value that is no bool: True is no dimension, and no size."""
    if isinstance(value, bool):
        raise TypeError
    return value


def dim(op_name, d, ndim):
    """Return ``d`` as a non-negative dimension of a tensor of ``ndim`` dimensions (a zero-dim one accepts -1 and 0)."""
    try:
        d = d if type(d) is int else index(refused_bool(d))
    except TypeError:
        raise TypeError(f"{op_name}(): argument 'dim' must be int, not {type(d).__name__}") from None
    extent = max(ndim, 1)
    if not -extent <= d < extent:
        raise IndexError(
            f"{op_name}: Dimension out of range (expected to be in range of [{-extent}, {extent - 1}], but got {d})"
        )
    return d + extent if d < 0 else d


def dims(op_name, d, ndim):
    """Return ``d`` (an int or a sequence of them) as a tuple of non-negative dimensions, each at most once."""
    given = d if isinstance(d, (tuple, list)) else (d,)
    found = tuple(dim(op_name, one, ndim) for one in given)
    if len(set(found)) != len(found):
        repeated = next(one for one in found if found.count(one) > 1)
        raise RuntimeError(f"{op_name}: dim {repeated} appears multiple times in the list of dims {tuple(given)}")
    return found


def reduced_dims(op_name, d, ndim):
    """The dims that a reduction goes over, as a tuple; None for all, as given by None, by () and for zero-dim tensors."""
    if type(d) is int and 0 <= d < ndim:
        return (d,)
    if d is None or (isinstance(d, (tuple, list)) and not d):
        return None
    found = dims(op_name, d, ndim)
    return found if ndim else None


def flag(op_name, name, value):
    """Raise TypeError unless a flag is a bool (so that ``x.sum(0, 1)`` is not taken for a sum over two dims)."""
    if value is not True and value is not False:
        raise TypeError(f"{op_name}(): argument '{name}' must be bool, not {type(value).__name__}")


def flags(op_name, **given):
    """Raise TypeError unless all of these are bools."""
    for name, value in given.items():
        flag(op_name, name, value)


def text(op_name, name, value):
    """Raise TypeError unless an argument is a string."""
    if not isinstance(value, str):
        raise TypeError(f"{op_name}(): argument '{name}' must be str, not {type(value).__name__}")


def dtype_or_none(op_name, dtype):
    """Raise TypeError unless ``dtype`` is a dtype or None."""
    if dtype is not None and not hasattr(dtype, "category"):
        raise TypeError(f"{op_name}(): argument 'dtype' must be torch.dtype, not {type(dtype).__name__}")


def not_empty(op_name, shape, d):
    """Raise PyTorch's error where a reduction without an identity would go over no elements."""
    if d is None:
        if 0 in shape:
            raise RuntimeError(
                f"{op_name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
                f"with the 'dim' argument; the input's shape is {tuple(shape)}."
            )
        return
    for one in d if isinstance(d, tuple) else (d,):
        if shape and shape[one] == 0:
            raise IndexError(
                f"{op_name}(): Expected reduction dim {one} to have non-zero size; the input's shape is {tuple(shape)}."
            )


def ordered(op_name, input):
    """Raise NotImplementedError for complex elements, which have no order (unless there are none, or one, to put in order)."""
    if input.dtype.category == COMPLEX and input.ndim and 0 not in input.shape:
        raise NotImplementedError(f"{op_name}: not implemented for {input.dtype}, whose elements have no order")
