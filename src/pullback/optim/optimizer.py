"""The base of all optimizers: groups of parameters, state, and the walk over them that a step is.

An optimizer states its update twice: ``_update_array`` works in place on the raw arrays of ordinary parameters, with
``out=`` and a scratch array, and is what training runs on; ``_update_tensor`` is the same formula on tensors, for
``differentiable=True`` (where it is recorded) and for the values of transforms. Invariant: every write to a
parameter's array is noted, so that a graph which saved the old value will say so.
"""

import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

from numpy import empty, ndarray

from ..attributes import RemovableHandle, add_hook
from ..tape.lines import here
from ..tape.modes import enable_grad, no_grad
from ..tape.storage import mark_written
from ..tape.value import Tensor


class _Required:
    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


class Optimizer:
    """What updates parameters by their gradients.

    Args:
        params: tensors, or pairs of a name and a tensor, or dicts with ``"params"`` and options of their own.
        defaults: the options of groups that do not have their own.

    Raises:
        TypeError: ``params`` is a tensor, or holds something else than tensors.
        ValueError: there are no parameters, one of them is no leaf or in two groups, or an option is missing.
    """

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
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
        """Set what is not part of the optimizer's state."""
        self._scratch: dict[Any, ndarray] = {}
        self._pre_hooks: OrderedDict = OrderedDict()
        self._post_hooks: OrderedDict = OrderedDict()
        self._opt_called = False

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

    def step(self, closure: Callable | None = None) -> Any:
        """Update all parameters that have a gradient.

        Args:
            closure: computes the loss anew, with its gradients, before the update.

        Returns:
            What the closure returned, or None.
        """
        for hook in list(self._pre_hooks.values()):
            hook(self, (closure,) if closure is not None else (), {})
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        self._opt_called = True
        place = here()
        for group in self.param_groups:
            self._step_group(group, place)
        for hook in list(self._post_hooks.values()):
            hook(self, (closure,) if closure is not None else (), {})
        return loss

    def _step_group(self, group: dict[str, Any], place: Any) -> None:
        name, recorded, options = f"{type(self).__name__}.step", group.get("differentiable"), self._options(group)
        for param in group["params"]:
            grad = param._grad
            if grad is None:
                continue
            data, slope = param._data, grad._data
            if recorded or type(data) is not ndarray or type(slope) is not ndarray:
                with enable_grad() if recorded else no_grad():
                    self._update_tensor(param, grad, self.state[param], group)
                continue
            held, numbers = self._begin(self.state[param], data, options)
            arrays = [data, slope, *held]
            if data.dtype.kind == "c":
                arrays = [as_real(array) for array in arrays]
            self._update_array(arrays[0], arrays[1], arrays[2:], self._spare(arrays[0]), numbers)
            mark_written(data, name, place)

    def _options(self, group: dict[str, Any]) -> Any:
        """What ``_begin`` reads of a group, found once a step."""
        return group

    def _begin(self, state: dict, param: ndarray, options: Any) -> tuple[list[ndarray], Any]:
        """Begin one parameter's step: its state's arrays, made where there are none, and the numbers of its update."""
        raise NotImplementedError(f"{type(self).__name__} defines neither step nor _begin")

    def _update_array(self, param: ndarray, grad: ndarray, held: list[ndarray], spare: ndarray, numbers: Any) -> None:
        """Update a parameter and its state's arrays in place; ``spare`` is an array of the same shape to compute in.

        The gradient must not be written.
        """

    def _update_tensor(self, param: Any, grad: Any, state: dict, group: dict[str, Any]) -> None:
        """The formula of ``_update_array`` on tensors: out of place, except for the parameter itself."""
        raise RuntimeError(
            f"{type(self).__name__}: differentiable=True, and parameters inside transforms, are not supported"
        )

    def _spare(self, like: ndarray) -> ndarray:
        """An array of a given shape and dtype to compute in: the same one at every step."""
        key = like.shape, like.dtype
        found = self._scratch.get(key)
        if found is None:
            found = self._scratch[key] = empty(*key)
        return found

    def register_step_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before every step."""
        return add_hook(self._pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after every step."""
        return add_hook(self._post_hooks, hook)

    # -- state ---------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The state of every parameter, by its position, and the groups with positions in place of parameters."""
        position: dict[Any, int] = {}
        for group in self.param_groups:
            for param in group["params"]:
                position.setdefault(param, len(position))
        groups = [{**group, "params": [position[p] for p in group["params"]]} for group in self.param_groups]
        for group in groups:  # PyTorch writes the parameters last
            group["params"] = group.pop("params")
        return {"state": {position.get(p, p): s for p, s in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state; its tensors are copied, in the dtype of their parameter (except ``step``).

        Raises:
            ValueError: the groups differ in number or in size.
        """
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
            state[param] = copied_state(value, param) if key in owners else deepcopy(value)
        groups = [deepcopy({k: v for k, v in group.items() if k != "params"}) for group in saved]
        for group, own in zip(groups, self.param_groups, strict=True):
            group["params"] = own["params"]
            if "param_names" in own:
                group["param_names"] = own["param_names"]
        self.state, self.param_groups = state, groups


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


def copied_state(state: dict, param: Any) -> dict:
    """One parameter's state, copied, in the parameter's dtype where it is floating."""
    copied = {}
    for key, value in state.items():
        if isinstance(value, Tensor):
            same = key == "step" or not param.dtype.is_floating_point
            value = value.detach().clone() if same else value.detach().to(param.dtype, copy=True)  # type: ignore[attr-defined]
        else:
            value = deepcopy(value)
        copied[key] = value
    return copied


def zeroed(grad: Any) -> Any:
    grad.detach_()
    return grad.zero_()


def number(value: Any) -> float:
    """An option that may be a tensor, such as the learning rate, as a number."""
    return float(value) if isinstance(value, Tensor) else value  # type: ignore[arg-type]


def check_at_least_zero(name: str, value: Any) -> None:
    """Raise PyTorch's error for a negative option."""
    if not number(value) >= 0.0:
        raise ValueError(f"Invalid {name}: {value}")
