"""The base of all optimizers: groups of parameters, state, and the walk over them that a step is.

An optimizer states its update once, as a formula (``_update``) that runs on NumPy arrays, where nothing is recorded, and
on tensors for ``differentiable=True`` and for the values of transforms: NumPy's functions on tensors are Pullback's.
Invariant: every write to a parameter's array is noted, so that a graph which saved the old value will say so.
"""

import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import wraps
from typing import Any

from numpy import asarray, full, full_like, ndarray

from ..attributes import RemovableHandle, add_hook
from ..dtypes import get_default_dtype
from ..tape.lines import here
from ..tape.modes import enable_grad, no_grad
from ..tape.storage import mark_written
from ..tape.value import Tensor, wrap
from .blocks import keep, runs, update_run


class _Required:
    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()

_pre_hooks: OrderedDict = OrderedDict()  # of the steps of all optimizers
_post_hooks: OrderedDict = OrderedDict()


def register_optimizer_step_pre_hook(hook: Callable) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` before every step of every optimizer."""
    return add_hook(_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Callable) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` after every step of every optimizer."""
    return add_hook(_post_hooks, hook)


def hooked(step: Callable) -> Callable:
    """A ``step`` that calls the hooks before and after it; hooks before it may replace its arguments."""

    @wraps(step)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        args = (self, *args)
        for hook in [*_pre_hooks.values(), *self._pre_hooks.values()]:
            changed = hook(self, args, kwargs)
            if changed is not None:
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        f"{type(self).__name__}.step: a pre-hook must return None or a tuple of (new_args, new_kwargs), "
                        f"but got {changed}."
                    )
                args, kwargs = changed
        self._opt_called = True
        result = step(*args, **kwargs)
        for hook in [*self._post_hooks.values(), *_post_hooks.values()]:
            hook(self, args, kwargs)
        return result

    run.hooked = True  # type: ignore[attr-defined]
    return run


class Optimizer:
    """What updates parameters by their gradients.

    Args:
        params: tensors, or pairs of a name and a tensor, or dicts with ``"params"`` and options of their own.
        defaults: the options of groups that do not have their own.

    Raises:
        TypeError: ``params`` is a tensor, or holds something else than tensors.
        ValueError: there are no parameters, one of them is no leaf or in two groups, or an option is missing.
    """

    _scalars: tuple[str, ...] = ("step",)  # state that is one number a parameter
    _elementwise = True  # the update may run on any part of a parameter
    _pre_hooks: OrderedDict
    _post_hooks: OrderedDict
    _state_dict_pre_hooks: OrderedDict
    _state_dict_post_hooks: OrderedDict
    _load_pre_hooks: OrderedDict
    _load_post_hooks: OrderedDict
    _opt_called: bool

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        check_implementation(defaults)
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                + params.type()  # type: ignore[attr-defined]
            )
        self.defaults = defaults
        self.state: defaultdict[Any, dict] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._prepare()
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def _prepare(self) -> None:
        """Set what is not part of the optimizer's state, where it is not set."""
        for name in HOOKS:
            self.__dict__.setdefault(name, OrderedDict())
        self.__dict__.setdefault("_opt_called", False)
        step = type(self).step
        if not getattr(step, "hooked", False):
            type(self).step = hooked(step)  # type: ignore[method-assign]

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._prepare()

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines += ["", f"Parameter Group {i}"] if i else [f"Parameter Group {i}"]
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join(lines) + "\n)"

    # -- groups --------------------------------------------------------------------------------------------------------

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own, for example a layer that is unfrozen during training."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = {**param_group, **split_names(as_parameters(param_group["params"]))}
        self._check_members(group["params"])
        for name, default in self.defaults.items():
            if default is required and name not in group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            group.setdefault(name, default)
        if len(set(group["params"])) != len(group["params"]):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; "
                "see github.com/pytorch/pytorch/issues/40967 for more information",
                stacklevel=3,
            )
        if not {p for g in self.param_groups for p in g["params"]}.isdisjoint(group["params"]):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(group)

    def _check_members(self, params: list) -> None:
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(param).__name__}")
            if param._fn is not None and not param._retains and not self.defaults.get("differentiable"):
                raise ValueError("can't optimize a non-leaf Tensor")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or (``set_to_none=False``) fill them with zeros."""
        for group in self.param_groups:
            for param in group["params"]:
                if param._grad is not None:
                    param._grad = None if set_to_none else zeroed(param._grad)

    # -- the step ------------------------------------------------------------------------------------------------------

    @hooked
    def step(self, closure: Callable | None = None) -> Any:
        """Update all parameters that have a gradient.

        Args:
            closure: computes the loss anew, with its gradients, before the update.

        Returns:
            What the closure returned, or None.
        """
        loss, place = self._evaluated(closure), here()
        for group in self.param_groups:
            self._step_group(group, place)
        return loss

    def _evaluated(self, closure: Callable | None) -> Any:
        if closure is None:
            return None
        with enable_grad():
            return closure()

    def _step_group(self, group: dict[str, Any], place: Any) -> None:
        recorded, alike = group.get("differentiable", False), defaultdict(list)
        for param in group["params"]:
            grad = param._grad
            if grad is None:
                continue
            state = self._state_of(param, group)
            data, slope = param._data, grad._data
            if recorded or type(data) is not ndarray or type(slope) is not ndarray:
                with enable_grad() if recorded else no_grad():
                    self._step_tensor(param, grad, state, group)
                continue
            scalars = tuple([scalar(state[name]) for name in self._scalars if name in state])
            alike[data.dtype, slope.dtype, scalars, tuple(state)].append((param, data, slope, state))
        options = numbers(group)
        for (_, _, _, names), members in alike.items():
            self._step_alike(members, names, options)
            for _, data, _, _ in members:
                mark_written(data, f"{type(self).__name__}.step", place)

    def _step_alike(self, members: list, names: tuple, options: dict[str, Any]) -> None:
        """Update parameters whose arrays have the same dtypes, and whose states the same names and numbers."""
        known = members[0][3]
        held = {name: scalar(known[name]) for name in names if name in self._scalars}
        arrays = [self._arrays(*member) for member in members]
        changed: dict[str, Any] = {}

        def update(given: dict[str, Any]) -> dict[str, Any]:
            state = {**begun(held), **{name: given[name] for name in names if name in given}}
            param = self._update(given["param"], given["grad"], state, options)
            changed.update({name: state.pop(name) for name in held})
            return {"param": param, **{n: value for n, value in state.items() if value is not given.get(n)}}

        for run in runs(arrays) if self._elementwise else [[each] for each in arrays]:
            update_run(run, update) if self._elementwise else keep(run[0], update(run[0]))
        for (param, data, _, state), found in zip(members, arrays, strict=True):
            for name, value in changed.items():
                state[name] = with_scalar(state[name], value)
            for name in found.keys() - names - {"param", "grad"}:
                state[name] = wrap(found[name].view(data.dtype)[..., 0] if data.dtype.kind == "c" else found[name])
            if state:
                self.state[param] = state

    def _arrays(self, param: Any, data: ndarray, slope: ndarray, state: dict) -> dict[str, ndarray]:
        """The arrays of one parameter by name; those of complex ones as real numbers."""
        arrays = {"param": data, "grad": slope}
        for name, value in state.items():
            if name not in self._scalars:
                arrays[name] = value._data
        return arrays if data.dtype.kind != "c" else {name: as_real(array) for name, array in arrays.items()}

    def _step_tensor(self, param: Any, grad: Any, state: dict, group: dict[str, Any]) -> None:
        """Update one parameter by operations on tensors. They see a copy, for what they save must not be written."""
        is_complex, before = param.is_complex(), param.clone()
        scalars = {name: scalar(state[name]) for name in self._scalars if name in state}
        values = {name: as_real_tensor(value) if is_complex else value for name, value in state.items()}
        values.update(begun(scalars))
        if is_complex:
            found = as_complex_tensor(self._update(as_real_tensor(before), as_real_tensor(grad), values, group))
        else:
            found = self._update(before, grad, values, group)
        for name, value in values.items():
            if name in scalars:
                state[name] = with_scalar(state[name], value)
            else:
                state[name] = as_complex_tensor(value) if is_complex else value
        if state:
            self.state[param] = state
        param.copy_(found)

    def _state_of(self, param: Any, group: dict[str, Any]) -> dict[str, Any]:
        """A parameter's state, without what is None; begun where there is none."""
        state = self.state.get(param)
        if state:
            held = [value is not None for value in state.values()]
            return state if all(held) else {name: value for name, value in state.items() if value is not None}
        return {name: self._begun_state(name, value, param) for name, value in self._initial(group).items()}

    def _begun_state(self, name: str, value: float, param: Any) -> Any:
        if name in self._scalars:
            return wrap(full((), value, scalar_dtype()))
        if type(param._data) is not ndarray:
            return param.detach() * 0 + value
        if param._data.dtype.kind == "c":
            value = complex(value, value)  # type: ignore[assignment]
        return wrap(full_like(param._data, value, subok=False))

    def _initial(self, group: dict[str, Any]) -> dict[str, float]:
        """What a parameter's state is filled with before its first step, by name."""
        return {}

    def _update(self, param: Any, grad: Any, state: dict[str, Any], options: dict[str, Any]) -> Any:
        """The formula: the new value of a parameter, given its gradient, its state and its group's options.

        What changes of the state is put into ``state``, nothing is written in place; ``state["step"]`` is a number, and
        counts this step. All values are arrays, or all are tensors; complex ones are seen as real numbers.
        """
        raise NotImplementedError(f"{type(self).__name__} defines neither step nor _update")

    def register_step_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before every step; it may return new args and kwargs."""
        return add_hook(self._pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after every step."""
        return add_hook(self._post_hooks, hook)

    # -- state ---------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The state of every parameter, by its position, and the groups with positions in place of parameters."""
        for hook in list(self._state_dict_pre_hooks.values()):
            hook(self)
        position: dict[Any, int] = {}
        for group in self.param_groups:
            for param in group["params"]:
                position.setdefault(param, len(position))
        groups = [{**group, "params": [position[p] for p in group["params"]]} for group in self.param_groups]
        for group in groups:  # PyTorch writes the parameters last
            group["params"] = group.pop("params")
        made = {"state": {position.get(p, p): s for p, s in self.state.items()}, "param_groups": groups}
        for hook in list(self._state_dict_post_hooks.values()):
            made = first_of(hook(self, made), made)
        return made

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state; its tensors are copied, in the dtype of their parameter (except ``step`` and the like).

        Raises:
            ValueError: the groups differ in number or in size.
        """
        state_dict = state_dict.copy()
        for hook in list(self._load_pre_hooks.values()):
            state_dict = first_of(hook(self, state_dict), state_dict)
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(s["params"]) != len(g["params"]) for s, g in zip(saved, self.param_groups, strict=True)):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
            )
        owners = {
            number: param
            for group, own in zip(saved, self.param_groups, strict=True)
            for number, param in zip(group["params"], own["params"], strict=True)
        }
        state: defaultdict[Any, dict] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            param = owners.get(key, key)
            state[param] = copied_state(value, param, self._scalars) if key in owners else deepcopy(value)
        groups = [deepcopy({k: v for k, v in group.items() if k != "params"}) for group in saved]
        for group, own in zip(groups, self.param_groups, strict=True):
            group["params"] = own["params"]
            if "param_names" in own:
                group["param_names"] = own["param_names"]
            for name, default in self.defaults.items():  # options that are younger than the state
                group.setdefault(name, default)
        self.__setstate__({"state": state, "param_groups": groups})
        for hook in list(self._load_post_hooks.values()):
            hook(self)

    def register_state_dict_pre_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` before :meth:`state_dict`."""
        return add_first(self._state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` after :meth:`state_dict`; it may return another one."""
        return add_first(self._state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` before :meth:`load_state_dict`; it may return another one."""
        return add_first(self._load_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` after :meth:`load_state_dict`."""
        return add_first(self._load_post_hooks, hook, prepend)


HOOKS = (
    "_pre_hooks", "_post_hooks", "_state_dict_pre_hooks", "_state_dict_post_hooks", "_load_pre_hooks", "_load_post_hooks"
)  # fmt: skip


def first_of(found: Any, other: Any) -> Any:
    """What a hook returned, or what there was where it returned None."""
    return other if found is None else found


def add_first(hooks: OrderedDict, hook: Callable, prepend: bool) -> RemovableHandle:
    """Add a hook after the others, or before them."""
    handle = add_hook(hooks, hook)
    if prepend:
        hooks.move_to_end(next(reversed(hooks)), last=False)
    return handle


def scalar(value: Any) -> Any:
    """A state's number in its own dtype."""
    return value._data[()] if isinstance(value, Tensor) else value


def with_scalar(held: Any, value: Any) -> Any:
    """Write a state's number; a plain one becomes a tensor."""
    if not isinstance(held, Tensor):
        return wrap(asarray(value, scalar_dtype()))
    held._data[...] = number(value)
    return held


def begun(scalars: dict[str, Any]) -> dict[str, Any]:
    """A state's numbers in a step; the count is that of this step, in double precision."""
    return {**scalars, "step": float(scalars["step"]) + 1} if "step" in scalars else dict(scalars)


def scalar_dtype() -> str:
    """The dtype of a state's numbers: float64 if that is the default."""
    return "f8" if get_default_dtype().name == "float64" else "f4"


def as_real_tensor(tensor: Any) -> Any:
    return tensor.view_as_real() if tensor.is_complex() else tensor


def as_complex_tensor(tensor: Any) -> Any:
    return tensor.view_as_complex()


def as_real(array: ndarray) -> ndarray:
    """A complex array's memory as real numbers, with a last dimension of 2."""
    return array[..., None].view(array.real.dtype)


def as_parameters(params: Any) -> list:
    """The members of a group as a list."""
    if isinstance(params, Tensor):
        return [params]
    if isinstance(params, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets will "
            "change between runs. Please use a list instead."
        )
    return list(params) if isinstance(params, Iterable) else [params]


def split_names(members: list) -> dict[str, list]:
    """Parameters and, where they were given as pairs, their names."""
    named = [isinstance(member, tuple) for member in members]
    if not any(named):
        return {"params": members}
    if not all(named):
        raise ValueError("all optimizer params should be with/without names. Some param names are missing")
    return {"params": [param for _, param in members], "param_names": [name for name, _ in members]}


def copied_state(state: dict, param: Any, scalars: tuple[str, ...]) -> dict:
    """One parameter's state, copied, in the parameter's dtype where it is floating; its numbers keep theirs."""
    copied = {}
    for key, value in state.items():
        if isinstance(value, Tensor):
            same = key in scalars or not param.dtype.is_floating_point
            value = value.detach().clone() if same else value.detach().to(param.dtype, copy=True)  # type: ignore[attr-defined]
        else:
            value = deepcopy(value)
        copied[key] = value
    return copied


def zeroed(grad: Any) -> Any:
    grad.detach_()
    return grad.zero_()


def number(value: Any) -> Any:
    """An option that may be a tensor, such as the learning rate, as a number."""
    return float(value.detach()) if isinstance(value, Tensor) else value  # type: ignore[attr-defined]


def numbers(group: dict[str, Any]) -> dict[str, Any]:
    """A group's options, with numbers in the place of tensors."""
    return {
        name: tuple([number(v) for v in value]) if type(value) is tuple else number(value)
        for name, value in group.items()
        if name not in ("params", "param_names")
    }


def decayed(param: Any, grad: Any, options: dict[str, Any]) -> tuple[Any, Any]:
    """A parameter and the gradient to follow, by the options ``maximize``, ``weight_decay`` and, where an optimizer has
    it, ``decoupled_weight_decay``: shrink the parameter instead of changing the gradient."""
    if options["maximize"]:
        grad = -grad
    if not options["weight_decay"]:
        return param, grad
    if options.get("decoupled_weight_decay"):
        return param * (1 - options["lr"] * options["weight_decay"]), grad
    return param, grad + param * options["weight_decay"]


# -- checks of options -------------------------------------------------------------------------------------------------


def check_at_least_zero(name: str, value: Any) -> None:
    """Raise PyTorch's error for a negative option."""
    if not number(value) >= 0.0:
        raise ValueError(f"Invalid {name}: {value}")


def check_rate(lr: Any) -> None:
    """Raise PyTorch's errors for a learning rate that is negative, or a tensor of several elements."""
    check_single(lr)
    check_at_least_zero("learning rate", lr)


def check_single(lr: Any) -> None:
    if isinstance(lr, Tensor) and lr.numel() != 1:  # type: ignore[attr-defined]
        raise ValueError("Tensor lr must be 1-element")


def check_betas(betas: Any) -> None:
    """Raise PyTorch's error for what is kept of a running mean, if it is not in [0, 1)."""
    for i, beta in enumerate(betas):
        if not 0.0 <= number(beta) < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")


def check_moments(lr: Any, eps: Any, betas: Any, weight_decay: Any) -> None:
    """Raise PyTorch's errors for the options that Adam and its kin share."""
    check_rate(lr)
    check_at_least_zero("epsilon value", eps)
    check_betas(betas)
    check_at_least_zero("weight_decay value", weight_decay)


def check_implementation(options: dict[str, Any]) -> None:
    """Raise PyTorch's errors for options of implementations that exclude each other."""
    if options.get("fused") and options.get("differentiable"):
        raise RuntimeError("`fused` does not support `differentiable`")
    if options.get("fused") and options.get("foreach"):
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
