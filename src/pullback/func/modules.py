"""Modules as functions of their parameters: ``functional_call``, and what ensembles need.

A module is whatever has ``_parameters``, ``_buffers`` and ``_modules``, as every ``nn.Module`` has.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..tape.value import Tensor
from ..tensor import functions


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: dict | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with other tensors in the place of its parameters and buffers; the module is left as it was.

    Args:
        parameter_and_buffer_dicts: tensors by name (``"layer.weight"``), or several such dictionaries. What is not named
            stays.
        args, kwargs: the call's arguments; a single one need not be in a tuple.
        tie_weights: a tensor given for one name of a parameter that has several is used for all of them.
        strict: every parameter and buffer must be given, and nothing else.

    Raises:
        ValueError: a name is in several dictionaries, or two names of one parameter are given different tensors.
        RuntimeError: ``strict``, and a name is missing or unknown.
        AttributeError: a name leads to no module.
        TypeError: a value is no tensor.

    >>> import pullback as torch
    >>> layer = torch.nn.Linear(2, 1, bias=False)
    >>> torch.func.functional_call(layer, {"weight": torch.ones(1, 2)}, torch.tensor([2.0, 3.0]))
    tensor([5.])
    """
    given = merged(parameter_and_buffer_dicts)
    own = members(module)
    for name, value in given.items():
        if not isinstance(value, Tensor):
            raise TypeError(f"functional_call: {name}: {value!r} is not an instance of torch.Tensor")
    if strict:
        check_names(module, own, given)
    if tie_weights:
        given = tied(own, given)
    places = [(*place_of(module, name), value) for name, value in given.items()]
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with replaced(places):
        return module(*args, **(kwargs or {}))


def merged(dicts: Any) -> dict:
    if isinstance(dicts, dict):
        return dict(dicts)
    if not isinstance(dicts, (list, tuple)) or not all(isinstance(d, dict) for d in dicts):
        raise ValueError(
            f"Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got {type(dicts)}"
        )
    names = [name for d in dicts for name in d]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{repeated} appeared in multiple dictionaries; behavior of functional call is ambiguous")
    return {name: value for d in dicts for name, value in d.items()}


def members(module: Any) -> dict:
    """All parameters and buffers by every name that leads to them."""
    members = (module.named_parameters, module.named_buffers)
    return {name: value for named in members for name, value in named(remove_duplicate=False)}


def check_names(module: Any, own: dict, given: dict) -> None:
    covered = {id(own[name]) for name in given if name in own}
    missing = [name for name, value in own.items() if id(value) not in covered]
    problems = [("Missing", missing), ("Unexpected", [name for name in given if name not in own])]
    lines = [f"{kind} key(s): {', '.join(map(repr, names))}." for kind, names in problems if names]
    if lines:
        raise RuntimeError("\n\t".join([f"Error(s) in reparametrizing for {type(module).__name__}:", *lines]))


def tied(own: dict, given: dict) -> dict:
    """The given tensors, also under the other names of what they replace."""
    aliases: dict[int, list] = {}
    for name, value in own.items():
        aliases.setdefault(id(value), []).append(name)
    found = dict(given)
    for names in aliases.values():
        values = [given[name] for name in names if name in given]
        if any(value is not values[0] for value in values):
            raise ValueError(
                f"functional_call got multiple values for keys {[n for n in names if n in given]}, which are tied. "
                "Consider using tie_weights=False"
            )
        found.update(dict.fromkeys(names, values[0]) if values else {})
    return found


def place_of(module: Any, name: str) -> tuple:
    """The dictionary that holds a named tensor, and its key there."""
    *path, key = name.split(".")
    for part in path:
        inner = module._modules.get(part)
        if inner is None:
            raise AttributeError(f"{type(module).__name__} has no attribute `{part}`, in the name {name!r}")
        module = inner
    return module._buffers if key in module._buffers else module._parameters, key


@contextmanager
def replaced(places: list) -> Iterator[None]:
    """Put values into dictionaries, and what was there back at the end."""
    missing = object()
    before = [register.get(key, missing) for register, key, _ in places]
    try:
        for register, key, value in places:
            register[key] = value
        yield
    finally:
        for (register, key, _), value in zip(places, before, strict=True):
            if value is missing:
                register.pop(key, None)
            else:
                register[key] = value


def stack_module_state(models: Any) -> tuple[dict, dict]:
    """The parameters and buffers of several models of one class, stacked: what :func:`vmap` maps an ensemble over.

    Returns:
        ``(parameters, buffers)``, tensors by name with a new first dimension; parameters are leaves that require grad where
        the models' do.

    Raises:
        RuntimeError: there are no models, or they differ in class, in mode (training or not), or in what requires grad.
    """
    models = list(models)
    problems = {
        "at least one model, got 0": not models,
        "all models to have the same training/eval mode": len({m.training for m in models}) > 1,
        "all models to be of the same class": len({type(m) for m in models}) > 1,
    }
    for expected, is_violated in problems.items():
        if is_violated:
            raise RuntimeError(f"stack_module_state: Expected {expected}.")
    named = [[dict(m.named_parameters()) for m in models], [dict(m.named_buffers()) for m in models]]
    params, buffers = [{name: stacked(name, [d[name] for d in each]) for name in each[0]} for each in named]
    return params, buffers


def stacked(name: str, tensors: list) -> Tensor:
    if len({t.requires_grad for t in tensors}) > 1:
        raise RuntimeError(f"Expected {name} from each model to have the same .requires_grad")
    whole = functions["stack"]([t.detach() for t in tensors], 0)
    return whole.requires_grad_(tensors[0].requires_grad)


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """Make every batch norm below a module use the statistics of the batch only, and keep none; returns the module.

    Running statistics are written in place, which a batch of models or samples cannot share.
    """
    for module in root.modules():
        if any(kind.__name__ in ("BatchNorm", "_BatchNorm") for kind in type(module).__mro__):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root


def functionalize(func: Callable, *, remove: str = "mutations") -> Callable:
    """The function itself: transforms and traces take functions that write in place as they are.

    Args:
        remove: ``"mutations"`` or ``"mutations_and_views"``, as in PyTorch.
    """
    if remove not in ("mutations", "mutations_and_views"):
        raise RuntimeError(
            f"functionalize(f, remove='mutations'): received invalid argument for remove={remove}. Valid options are "
            "'mutations' and 'mutations_and_views'."
        )
    return func


def debug_unwrap(tensor: Tensor, *, recurse: bool = True) -> Tensor:
    """What a tensor of a transform stands for: the whole batch, the primal, or the tensor below a tape.

    Args:
        recurse: look through all transforms, not only the innermost.
    """
    held: Any = tensor._data if tensor._level else None
    below = held if isinstance(held, Tensor) else getattr(held, "value", getattr(held, "primal", None))
    if not isinstance(below, Tensor):
        return tensor
    return debug_unwrap(below) if recurse else below
