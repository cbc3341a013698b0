"""Pruning: a mask of zeros and ones over a module's parameter, renewed before every call.

Responsible for the methods that choose a mask, and for the hook that applies it. The parameter is kept as ``<name>_orig``,
the mask as the buffer ``<name>_mask``, and the attribute ``<name>`` is their product.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

from ...creation import ones_like, zeros_like
from ...sampling import rand, rand_like
from ...tensor import functions
from ..modules.module import Module


class BasePruningMethod(ABC):
    """What the methods share: being a hook before the module's calls. A method of one's own defines ``compute_mask``.

    ``PRUNING_TYPE`` is ``"unstructured"`` (entries), ``"structured"`` (whole slices) or ``"global"``: which part of a
    parameter that has been pruned before the method gets.
    """

    _tensor_name: str
    PRUNING_TYPE = "unstructured"

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """A mask for the tensor ``t``, within ``default_mask``."""

    def apply_mask(self, module: Module) -> Any:
        """The original parameter times the mask."""
        if not hasattr(self, "_tensor_name"):
            raise AssertionError(f"Module {module} has to be pruned")
        mask, original = getattr(module, f"{self._tensor_name}_mask"), getattr(module, f"{self._tensor_name}_orig")
        return mask.to(dtype=original.dtype) * original

    @classmethod
    def apply(cls, module: Module, name: str, *args: Any, importance_scores: Any = None, **kwargs: Any) -> Any:
        """Prune a parameter, also one that has been pruned before; returns the hook that does it.

        Args:
            importance_scores: what the choice goes by, in the place of the parameter; of its shape.
        """
        method: Any = cls(*args, **kwargs)
        method._tensor_name = name
        original, key, before = getattr(module, name), *found(module, name)
        if importance_scores is not None and importance_scores.shape != original.shape:
            raise AssertionError(
                f"importance_scores should have the same shape as parameter {name} of {module}: got "
                f"{importance_scores.shape}, expected {original.shape}"
            )
        scores = original if importance_scores is None else importance_scores
        if before is None:
            mask = method.compute_mask(scores, default_mask=ones_like(original))
            module.register_parameter(f"{name}_orig", original)
            del module._parameters[name]
        else:
            method = combined(before, method)
            mask = method.compute_mask(scores, default_mask=getattr(module, f"{name}_mask").detach().clone())
            del module._forward_pre_hooks[key]
        module.register_buffer(f"{name}_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t: Any, default_mask: Any = None, importance_scores: Any = None) -> Any:
        """The tensor times the mask that the method chooses for it."""
        scores = t if importance_scores is None else importance_scores
        if scores.shape != t.shape:
            raise AssertionError(
                f"importance_scores should have the same shape as tensor t: got {scores.shape}, expected {t.shape}"
            )
        mask = self.compute_mask(scores, default_mask=ones_like(t) if default_mask is None else default_mask)
        return t * mask

    def remove(self, module: Module) -> None:
        """Make the pruned parameter a plain one again, with its zeros."""
        name = getattr(self, "_tensor_name", None)
        if name is None:
            raise AssertionError(f"Module {module} has to be pruned before pruning can be removed")
        weight, original = self.apply_mask(module), module._parameters[f"{name}_orig"]
        if hasattr(module, name):
            delattr(module, name)
        original.data = weight.data
        del module._parameters[f"{name}_orig"], module._buffers[f"{name}_mask"]
        setattr(module, name, original)


def found(module: Module, name: str) -> tuple:
    """The key and the pruning hook of a parameter; None twice where there is none."""
    for key, entry in module._forward_pre_hooks.items():
        if isinstance(entry.hook, BasePruningMethod) and entry.hook._tensor_name == name:
            return key, entry.hook
    return None, None


def combined(before: Any, method: Any) -> "PruningContainer":
    container = before if isinstance(before, PruningContainer) else PruningContainer(before)
    container.add_pruning_method(method)
    return container


class PruningContainer(BasePruningMethod):
    """Several methods, each of which prunes what the ones before have left of a parameter."""

    def __init__(self, *args: Any) -> None:
        self._pruning_methods: tuple = ()
        methods = tuple(args[0]) if len(args) == 1 and isinstance(args[0], Iterable) else args
        if methods:
            self._tensor_name = methods[0]._tensor_name
        for method in methods:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: Any) -> None:
        """Add one, for the same parameter."""
        if not isinstance(method, BasePruningMethod) and method is not None:
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if method is not None and self._tensor_name != method._tensor_name:
            raise ValueError(
                f"Can only add pruning methods acting on the parameter named '{self._tensor_name}' to PruningContainer "
                f"{self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Any:
        return iter(self._pruning_methods)

    def __getitem__(self, index: int) -> Any:
        return self._pruning_methods[index]

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The mask after the last method, which sees only what is not masked yet."""
        method = self._pruning_methods[-1]
        mask = default_mask.to(dtype=t.dtype)
        place = left_of(method, mask)
        part = method.compute_mask(t[place], default_mask=mask[place])
        result = mask.clone()
        result[place] = part.to(dtype=mask.dtype)
        return result


def left_of(method: Any, mask: Any) -> Any:
    """Where a parameter is left for a further method to prune."""
    if method.PRUNING_TYPE == "unstructured":
        return mask == 1
    place: list = [slice(None)] * mask.ndim
    if method.PRUNING_TYPE == "structured":
        dim = method.dim % mask.ndim
        place[dim] = mask.sum(dim=[d for d in range(mask.ndim) if d != dim]) != 0
    elif method.PRUNING_TYPE != "global":
        raise ValueError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
    return tuple(place)


class Identity(BasePruningMethod):
    """Prunes nothing: a mask of ones."""

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The default mask."""
        return default_mask


class Amount(BasePruningMethod):
    """What the methods share that prune a number, or a share, of the entries or slices."""

    def __init__(self, amount: Any) -> None:
        _validate_pruning_amount_init(amount)
        self.amount = amount

    def _count(self, size: int) -> int:
        count = _compute_nparams_toprune(self.amount, size)
        _validate_pruning_amount(count, size)
        return count


class RandomUnstructured(Amount):
    """Prunes entries at random."""

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The default mask with that many more zeros."""
        count = self._count(t.numel())
        if not count:
            return default_mask.clone()
        drawn: Any = rand_like(t)
        return without(default_mask, functions["topk"](drawn.reshape(-1), k=count).indices)


class L1Unstructured(Amount):
    """Prunes the entries of the smallest magnitude."""

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The default mask with that many more zeros."""
        count = self._count(t.numel())
        if not count:
            return default_mask.clone()
        return without(default_mask, functions["topk"](t.detach().abs().reshape(-1), k=count, largest=False).indices)


def without(mask: Any, indices: Any) -> Any:
    mask = mask.clone().contiguous()
    mask.view(-1)[indices] = 0
    return mask


class Structured(Amount):
    """What the methods share that prune whole slices along a dimension."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: Any, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The default mask with that many more slices of zeros."""
        _validate_structured_pruning(t)
        _validate_pruning_dim(t, self.dim)
        size = t.shape[self.dim]
        count = self._count(size)
        if not count:
            return default_mask
        mask: Any = zeros_like(t)
        place: list = [slice(None)] * t.ndim
        place[self.dim] = self._kept(t.detach(), size, count)
        mask[tuple(place)] = 1
        return mask * default_mask.to(dtype=mask.dtype)

    def _kept(self, t: Any, size: int, count: int) -> Any:
        raise NotImplementedError


class RandomStructured(Structured):
    """Prunes slices at random."""

    def _kept(self, t: Any, size: int, count: int) -> Any:
        drawn: Any = rand(size)
        return drawn > functions["kthvalue"](drawn, k=count).values


class LnStructured(Structured):
    """Prunes the slices of the smallest norm, of order ``n``."""

    def __init__(self, amount: Any, n: Any, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def _kept(self, t: Any, size: int, count: int) -> Any:
        return functions["topk"](_compute_norm(t, self.n, self.dim), k=size - count, largest=True).indices


class CustomFromMask(BasePruningMethod):
    """Prunes by a mask that is given."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Any) -> None:
        self.mask = mask

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The default mask times the given one."""
        return default_mask * self.mask.to(dtype=default_mask.dtype)


# -- functions ---------------------------------------------------------------------------------------------------------


def identity(module: Module, name: str) -> Module:
    """Give a parameter a mask of ones; returns the module, as all of these do."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: Any) -> Module:
    """Prune ``amount`` entries (or that share of them, if it is a float) of a parameter at random."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: Module, name: str, amount: Any, importance_scores: Any = None) -> Module:
    """Prune the ``amount`` entries of the smallest magnitude (in ``importance_scores``)."""
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: Any, dim: int) -> Module:
    """Prune ``amount`` slices along a dimension at random."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(module: Module, name: str, amount: Any, n: Any, dim: int, importance_scores: Any = None) -> Module:
    """Prune the ``amount`` slices along a dimension of the smallest norm of order ``n``."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Any) -> Module:
    """Prune a parameter where ``mask`` is zero."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(parameters: Any, pruning_method: Any, importance_scores: Any = None, **kwargs: Any) -> None:
    """Prune several parameters as if they were one.

    Args:
        parameters: pairs of a module and a name.
        pruning_method: a class of unstructured methods, which is made with ``kwargs``.
        importance_scores: what the choice goes by, for some of the pairs.
    """
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    parameters, scores = list(parameters), dict(importance_scores or {})
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            f'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method {pruning_method} of type '
            f"{method.PRUNING_TYPE}"
        )
    flat = lambda tensors: functions["cat"]([tensor.reshape(-1) for tensor in tensors])
    weights = [getattr(module, name) for module, name in parameters]
    relevant = flat([scores.get(pair, weight) for pair, weight in zip(parameters, weights, strict=True)])
    masks = flat([getattr(m, f"{name}_mask", ones_like(w)) for (m, name), w in zip(parameters, weights, strict=True)])
    method._tensor_name = "temp"
    container = PruningContainer(method)
    final = container.compute_mask(relevant, masks)
    pieces = functions["split"](final, [weight.numel() for weight in weights])
    for (module, name), weight, piece in zip(parameters, weights, pieces, strict=True):
        custom_from_mask(module, name, mask=piece.view_as(weight))


def remove(module: Module, name: str) -> Module:
    """Make a pruned parameter a plain one again, with its zeros. Raises ValueError where it was not pruned."""
    key, hook = found(module, name)
    if hook is None:
        raise ValueError(f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed")
    hook.remove(module)
    del module._forward_pre_hooks[key]
    return module


def is_pruned(module: Module) -> bool:
    """Whether a module, or any below it, has a pruned parameter."""
    hooks = [entry.hook for each in module.modules() for entry in each._forward_pre_hooks.values()]
    return any(isinstance(hook, BasePruningMethod) for hook in hooks)


# -- checks ------------------------------------------------------------------------------------------------------------


def _validate_pruning_amount_init(amount: Any) -> None:
    if not isinstance(amount, Real):
        raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    most = float("inf") if isinstance(amount, Integral) else 1.0
    if not 0.0 <= float(amount) <= most:
        raise ValueError(f"amount={amount} should either be a float in the range [0, 1] or a non-negative integer")


def _validate_pruning_amount(amount: Any, tensor_size: int) -> None:
    if isinstance(amount, int) and amount > tensor_size:
        raise ValueError(f"amount={amount} should be smaller than the number of parameters to prune={tensor_size}")


def _validate_structured_pruning(t: Any) -> None:
    if t.ndim <= 1:
        raise ValueError(
            "Structured pruning can only be applied to multidimensional tensors. Found tensor of shape "
            f"{t.shape} with {t.ndim} dims"
        )


def _validate_pruning_dim(t: Any, dim: int) -> None:
    if not -t.ndim <= dim < t.ndim:
        raise IndexError(f"Invalid index {dim} for tensor of size {t.shape}")


def _compute_nparams_toprune(amount: Any, tensor_size: int) -> int:
    return int(amount) if isinstance(amount, Integral) else round(amount * tensor_size)


def _compute_norm(t: Any, n: Any, dim: int) -> Any:
    others = [d for d in range(t.ndim) if d != dim % t.ndim]
    return functions["norm"](t, p=n, dim=others)
