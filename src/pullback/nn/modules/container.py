"""Containers: Sequential, Container, ModuleList, ModuleDict, ParameterList and ParameterDict."""

import operator
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from ...tape.value import Tensor
from ..parameter import Parameter, is_lazy
from .module import Module, indented, type_name


class Numbered(Module):
    """What Sequential and ModuleList share: modules under the names "0", "1", …, in order."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.isdigit()]

    def _name_of(self, index: Any) -> str:
        """The name of the module at an index, which may be negative."""
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range")
        return list(self._modules)[index]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self._sliced(list(self._modules.items())[index])
        return self._modules[self._name_of(index)]

    def _sliced(self, items: list) -> Module:
        raise NotImplementedError

    def __setitem__(self, index: Any, module: Module) -> None:
        setattr(self, self._name_of(index), module)

    def __delitem__(self, index: Any) -> None:
        names = list(self._modules)[index] if isinstance(index, slice) else [self._name_of(index)]
        for name in names:
            delattr(self, name)
        self._renumber(list(self._modules.values()))

    def _renumber(self, modules: list) -> None:
        self._modules = {str(i): module for i, module in enumerate(modules)}

    def append(self, module: Module) -> Any:
        """Add a module at the end; returns the container."""
        self.add_module(str(len(self)), module)
        return self

    def insert(self, index: int, module: Module) -> Any:
        """Put a module before the one at ``index``."""
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        if not -len(self) <= index <= len(self):
            raise IndexError(f"Index out of range: {index}")
        modules = list(self)
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        """Add several modules at the end; returns the container."""
        if not isinstance(modules, Iterable):
            raise TypeError(
                f"{type(self).__name__}.extend should be called with an iterable, but got {type(modules).__name__}"
            )
        for module in list(modules):
            self.append(module)
        return self

    def pop(self, key: Any = -1) -> Module:
        """Take a module out and return it; by default the last."""
        module = self[key]
        del self[key]
        return module


class Sequential(Numbered):
    """Modules that run one after another, each on what the one before returned.

    Args:
        args: the modules, or one OrderedDict of them with their names.

    >>> from pullback import nn
    >>> nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    Sequential(
      (0): Linear(in_features=4, out_features=8, bias=True)
      (1): ReLU()
      (2): Linear(in_features=8, out_features=2, bias=True)
    )
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = args[0].items() if len(args) == 1 and isinstance(args[0], OrderedDict) else enumerate(args)
        for name, module in named:
            self.add_module(str(name), module)

    def forward(self, input: Any) -> Any:
        """What the last module returns."""
        for module in self._modules.values():
            input = module(input)
        return input

    def _sliced(self, items: list) -> "Sequential":
        return type(self)(OrderedDict(items))

    def __add__(self, other: Any) -> "Sequential":
        if not isinstance(other, Sequential):
            raise ValueError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")
        return Sequential(*self, *other)

    def __iadd__(self, other: Any) -> "Sequential":
        return self.extend((self + other)[len(self) :])

    def __mul__(self, other: int) -> "Sequential":
        return Sequential(*list(self) * self._times(other))

    __rmul__ = __mul__

    def __imul__(self, other: int) -> "Sequential":
        return self.extend(list(self) * (self._times(other) - 1))

    def _times(self, factor: Any) -> int:
        if not isinstance(factor, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(factor)}")
        if factor <= 0:
            raise ValueError(f"Non-positive multiplication factor {factor} for {type(self)}")
        return factor


class Container(Module):
    """A module with the modules that it is given as keyword arguments: an old name, which nobody needs any more."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        warnings.warn(
            "nn.Container is deprecated. All of it's functionality is now implemented in nn.Module. Subclass that instead.",
            FutureWarning,
            stacklevel=2,
        )
        for name, module in kwargs.items():
            self.add_module(name, module)


class ModuleList(Numbered):
    """A list of modules, which are registered; it has no ``forward``."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(() if modules is None else modules)

    def _sliced(self, items: list) -> "ModuleList":
        return type(self)(module for _, module in items)

    def __add__(self, other: Iterable[Module]) -> "ModuleList":
        return ModuleList(chain(self, other))

    def __iadd__(self, modules: Iterable[Module]) -> "ModuleList":
        return self.extend(modules)

    def __repr__(self) -> str:
        """Equal neighbours are shown once, with their number."""
        lines: list[list] = []
        for i, shown in enumerate(repr(module) for module in self):
            if lines and lines[-1][2] == shown:
                lines[-1][1] = i
            else:
                lines.append([i, i, shown])
        if not lines:
            return f"{self._get_name()}()"
        texts = [
            f"({first}): {shown}" if first == last else f"({first}-{last}): {last - first + 1} x {shown}"
            for first, last, shown in lines
        ]
        return f"{self._get_name()}(\n  " + "\n  ".join(map(indented, texts)) + "\n)"


class ModuleDict(Module):
    """A dict of modules, which are registered; it has no ``forward``."""

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Module:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: str) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Take all modules out."""
        self._modules.clear()

    def pop(self, key: str) -> Module:
        """Take a module out and return it."""
        return self._modules.pop(key)

    def keys(self) -> Any:
        """The modules' names."""
        return self._modules.keys()

    def items(self) -> Any:
        """Names and modules."""
        return self._modules.items()

    def values(self) -> Any:
        """The modules."""
        return self._modules.values()

    def update(self, modules: Any) -> None:
        """Add the modules of a mapping, or of pairs of a name and a module."""
        for name, module in pairs_of(modules, "ModuleDict"):
            self[name] = module


def pairs_of(given: Any, kind: str) -> list:
    """The (key, value) pairs of a mapping, a dict-like module, or an iterable of pairs."""
    if isinstance(given, Mapping) or hasattr(given, "items"):
        return list(given.items())
    if not isinstance(given, Iterable):
        raise TypeError(
            f"{kind}.update should be called with an iterable of key/value pairs, but got {type_name(given)}"
        )
    pairs = list(given)
    for i, pair in enumerate(pairs):
        if not isinstance(pair, Iterable):
            raise TypeError(f"{kind} update sequence element #{i} should be Iterable; is {type_name(pair)}")
        if len(list(pair)) != 2:
            raise ValueError(f"{kind} update sequence element #{i} has length {len(list(pair))}; 2 is required")
    return pairs


class Parameters(Module):
    """What ParameterList and ParameterDict share: parameters that are named, but not called."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(f"{self._get_name()} should not be called.")

    def _described(self) -> list[str]:
        raise NotImplementedError

    def extra_repr(self) -> str:
        return "\n".join(self._described())

    def __repr__(self) -> str:
        lines = self._described()
        return f"{self._get_name()}(" + "".join(f"\n    {line}" for line in lines) + ("\n" if lines else "") + ")"


class ParameterList(Parameters):
    """A list of parameters, which are registered; tensors that are put in become parameters."""

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        self.extend(() if values is None else values)

    def __len__(self) -> int:
        return self._size

    def _name_of(self, index: Any) -> str:
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range")
        return str(index % len(self))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(getattr(self, str(i)) for i in range(*index.indices(len(self))))
        return getattr(self, self._name_of(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        setattr(self, self._name_of(index), as_parameter(value))

    def __iter__(self) -> Iterator[Any]:
        return iter(self[i] for i in range(len(self)))

    def append(self, value: Any) -> "ParameterList":
        """Add a parameter at the end; returns the list."""
        self._size += 1
        self[-1] = value
        return self

    def extend(self, values: Iterable[Any]) -> "ParameterList":
        """Add several parameters at the end; returns the list."""
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise TypeError(f"ParameterList.extend should be called with an iterable, but got {type(values).__name__}")
        for value in values:
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Any]) -> "ParameterList":
        return self.extend(values)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.isdigit()]

    def _described(self) -> list[str]:
        return [f"({i}): {described(value)}" for i, value in enumerate(self)]


class ParameterDict(Parameters):
    """A dict of parameters, which are registered; tensors that are put in become parameters."""

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(
                f"Index given to ParameterDict cannot be used as a key as it is not a string (type is '{type_name(key)}')"
            )
        self._keys[key] = None
        setattr(self, key, as_parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def keys(self) -> Any:
        """The parameters' names."""
        return self._keys.keys()

    def values(self) -> Any:
        """The parameters."""
        return [self[key] for key in self._keys]

    def items(self) -> Any:
        """Names and parameters."""
        return [(key, self[key]) for key in self._keys]

    def pop(self, key: str) -> Any:
        """Take a parameter out and return it."""
        value = self[key]
        del self[key]
        return value

    def update(self, parameters: Any) -> None:
        """Add the parameters of a mapping, or of pairs of a name and a parameter."""
        for name, value in pairs_of(parameters, "ParameterDict"):
            self[name] = value

    def _described(self) -> list[str]:
        return [f"({key}): {described(value, type_name)}" for key, value in self.items()]

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def clear(self) -> None:
        """Take all parameters out."""
        for key in list(self._keys):
            del self[key]

    def get(self, key: str, default: Any = None) -> Any:
        """The parameter of a name, or ``default`` where there is none."""
        return getattr(self, key) if key in self._keys else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The parameter of a name, which is ``default`` from now on where there was none."""
        if key not in self:
            self[key] = default
        return self[key]

    def popitem(self) -> tuple[str, Any]:
        """Take the last parameter out, and return its name and it."""
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def copy(self) -> "ParameterDict":
        """Another dict of the same parameters."""
        return ParameterDict(dict(self.items()))

    def fromkeys(self, keys: Iterable, default: Any = None) -> "ParameterDict":
        """A dict with the same value under every one of the keys."""
        return ParameterDict(dict.fromkeys(keys, default))

    def __or__(self, other: Any) -> "ParameterDict":
        return ParameterDict({**dict(self.items()), **dict(other.items())})

    def __ror__(self, other: Any) -> "ParameterDict":
        found = other.copy()
        found.update(self.items())
        return found

    def __ior__(self, other: Any) -> "ParameterDict":
        self.update(other)
        return self


def as_parameter(value: Any) -> Any:
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


def described(value: Any, kind_of: Callable = lambda tensor: tensor.dtype) -> str:
    """One line about a member of a parameter container."""
    if not isinstance(value, Tensor):
        return f"Object of type: {type_name(value)}"
    if is_lazy(value):
        return f"{type(value).__name__} of unknown size"
    is_parameter = isinstance(value, Parameter)
    value, kind = value.detach(), "Parameter" if is_parameter else "Tensor"  # type: ignore[attr-defined]
    size = "x".join(str(n) for n in value.shape)
    return f"{kind} containing: [{kind_of(value)} of size {size}]"
