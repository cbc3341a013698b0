"""What functions made of several recorded operations share: running one as a step, and checks of their arguments.

PyTorch composes some functions of others before its tape sees them, so that a graph holds the parts. Such a function
is an overload here: it runs all but the last of the parts as steps, and returns the last.
"""

from operator import index

INTERNAL = {"function": False, "method": False}


def perform(op, *args):
    """Run an operation on tensors, and record it where they require grad."""
    every = [b for a in args for b in (a if isinstance(a, list) else (a,))]
    top = max((a for a in every if is_tensor(a)), key=lambda tensor: tensor.rank)
    return top.interpret(op, args, top)


def is_tensor(value):
    """Whether a value is one of the interpreters' or a tensor, rather than a Python object."""
    return hasattr(value, "interpret")


def need_tensors(op_name, **given):
    """Raise PyTorch's error for the first argument that is no tensor."""
    for position, (name, value) in enumerate(given.items(), 1):
        if not is_tensor(value):
            raise TypeError(
                f"{op_name}(): argument '{name}' (position {position}) must be Tensor, not {type(value).__name__}"
            )


def sizes(op_name, name, value, count):
    """An argument that is one int, or one for each of ``count`` dimensions, as a tuple of ints."""
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,) * count
    if len(given) == 1:
        given *= count
    if len(given) != count:
        raise RuntimeError(f"{op_name}: expected {name} to be one int or {count}, but got {list(given)}")
    try:
        if bool in map(type, given):
            raise TypeError
        return tuple([index(n) for n in given])
    except TypeError:
        kinds = ", ".join(type(n).__name__ for n in given)
        raise TypeError(f"{op_name}(): argument '{name}' must be int or tuple of ints, not {kinds}") from None


def times(value, factor):
    """A value by a Python number."""
    return value if factor == 1 else value * factor


def fitted(xp, value, shape):
    """A value summed to the shape that it was broadcast from."""
    return value if tuple(value.shape) == shape else xp.sum_to_size(value, shape)


def extent(shape):
    """How many elements a shape has."""
    number = 1
    for size in shape:
        number *= size
    return number
