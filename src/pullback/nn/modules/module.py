"""Module: what owns parameters, buffers and other modules, and can be called.

Responsible for registration by assignment, walking the tree of modules, and printing; calling a module with its hooks is
in ``hooks.py``, writing down its state and reading it back in ``state.py``, other dtypes in ``converting.py``. Invariant: a name is held by at most one of
``_parameters``, ``_buffers``, ``_modules`` and the instance's ``__dict__``.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from ...tape.value import Tensor
from ..parameter import Buffer, Parameter
from .converting import Convertible
from .hooks import *  # noqa: F403
from .hooks import registered
from .state import IncompatibleKeys

_IncompatibleKeys = IncompatibleKeys
REGISTERS = ("_parameters", "_buffers", "_modules")
HOOKS = (
    *("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks"),
    *("_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks"),
)


class Module(Convertible):
    """The base of all neural network modules. Subclasses assign their parts in ``__init__`` and define ``forward``.

    >>> import pullback as torch
    >>> from pullback import nn
    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = nn.Parameter(torch.tensor(3.0))
    ...
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> Scale()(torch.tensor(2.0))
    tensor(6., grad_fn=<MulBackward0>)
    """

    training: bool
    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]
    call_super_init = False  # whether the class beside Module gets the arguments of __init__
    dump_patches = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.__dict__.update(
            training=True,
            _parameters={},
            _buffers={},
            _modules={},
            _non_persistent_buffers_set=set(),
            _is_full_backward_hook=None,
            **{name: OrderedDict() for name in HOOKS},
        )
        if self.call_super_init:
            super().__init__(*args, **kwargs)
        elif args or kwargs:
            given = f"takes 1 positional argument but {len(args) + 1} were given"
            unknown = f"got an unexpected keyword argument '{next(iter(kwargs), '')}'"
            raise TypeError(f"{type(self).__name__}.__init__() {unknown if kwargs else given}")

    def __setstate__(self, state: dict) -> None:
        """Take over a pickled ``__dict__``, of an older version too."""
        self.__dict__.update({name: OrderedDict() for name in HOOKS if name not in state}, **state)
        self.__dict__.setdefault("_non_persistent_buffers_set", set())
        self.__dict__.setdefault("_is_full_backward_hook", None)

    # -- registration --------------------------------------------------------------------------------------------------

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter, or None to keep the name free for one.

        Raises:
            KeyError: the name is empty, has a dot, or is an attribute already.
            TypeError: ``param`` is no Parameter.
        """
        self._check_name("parameter", name, self._parameters, "_parameters")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{type_name(param)}' object to parameter '{name}' (torch.nn.Parameter or None required)"
            )
        if param is not None and param._fn is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. To "
                f"express '{name}' as a function of another Tensor, compute the value in the forward() method."
            )
        self._parameters[name] = registered("parameter", self, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a buffer: state that is not learnt. One that is not ``persistent`` stays out of the ``state_dict``.

        Raises:
            KeyError: the name is empty, has a dot, or is an attribute already.
            TypeError: ``tensor`` is neither a Tensor nor None.
        """
        self._check_name("buffer", name, self._buffers, "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{type_name(tensor)}' object to buffer '{name}' (torch Tensor or None required)"
            )
        self._buffers[name] = registered("buffer", self, name, tensor)
        change = self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add
        change(name)

    def add_module(self, name: str, module: "Module | None") -> None:
        """Add a child module under ``name``.

        Raises:
            KeyError: the name is empty, has a dot, or is an attribute already.
            TypeError: ``module`` is no Module.
        """
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{type_name(module)} is not a Module subclass")
        self._check_name("module", name, self._modules, "_modules")
        self._modules[name] = registered("module", self, name, module)

    register_module = add_module

    def _check_name(self, kind: str, name: str, register: dict, attribute: str) -> None:
        if attribute not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {type_name(name)}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and name not in register:
            raise KeyError(f"attribute '{name}' already exists")

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        for register in REGISTERS:
            if register in own and name in own[register]:
                return own[register][name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(value, Parameter):
            self._check_initialised("parameters", "_parameters")
            self._forget(name, but="_parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._check_initialised("module", "_modules")
            self._forget(name, but="_modules")
            self._modules[name] = registered("module", self, name, value)
        elif (
            isinstance(value, Buffer) and name not in own.get("_parameters", ()) and name not in own.get("_modules", ())
        ):
            self._check_initialised("buffer", "_buffers")
            self._forget(name, but="_buffers")
            self.register_buffer(name, value, value.persistent)
        elif not self._set_registered(name, value):
            object.__setattr__(self, name, value)

    def _check_initialised(self, kind: str, register: str) -> None:
        if register not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")

    def _set_registered(self, name: str, value: Any) -> bool:
        """Assign to a name that a register holds already; False where none does."""
        own = self.__dict__
        if name in own.get("_parameters", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{type_name(value)}' as parameter '{name}' (torch.nn.Parameter or None expected)"
                )
            self._parameters[name] = None
        elif name in own.get("_modules", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{type_name(value)}' as child module '{name}' (torch.nn.Module or None expected)"
                )
            self._modules[name] = registered("module", self, name, None)
        elif name in own.get("_buffers", ()):
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign '{type_name(value)}' as buffer '{name}' (torch.nn.Buffer, torch.Tensor or None expected)"
                )
            self._buffers[name] = registered("buffer", self, name, value)
        else:
            return False
        return True

    def _forget(self, name: str, but: str) -> None:
        """Take a name out of everything that may hold it, except one register."""
        self.__dict__.pop(name, None)
        for register in REGISTERS:
            if register != but:
                self.__dict__[register].pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def __delattr__(self, name: str) -> None:
        for register in REGISTERS:
            if name in self.__dict__.get(register, ()):
                del self.__dict__[register][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*super().__dir__(), *self._parameters, *self._buffers, *self._modules}
        return sorted(name for name in names if not name[0].isdigit())

    # -- walking the tree ----------------------------------------------------------------------------------------------

    def named_modules(
        self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, "Module"]]:
        """This module and all below it, with their paths; each once, unless ``remove_duplicate`` is false."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, joined(prefix, name), remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator["Module"]:
        """This module and all below it."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules directly below this one, with their names; each once."""
        seen: set = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator["Module"]:
        """The modules directly below this one."""
        for _, module in self.named_children():
            yield module

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters of this module and (``recurse``) of all below it, with their paths."""
        return self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters of this module and (``recurse``) of all below it; each once."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers of this module and (``recurse``) of all below it, with their paths."""
        return self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers of this module and (``recurse``) of all below it; each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def _named_members(self, register: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple]:
        seen: set = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, member in getattr(module, register).items():
                if member is None or member in seen:
                    continue
                if remove_duplicate:
                    seen.add(member)
                yield joined(path, name), member

    def get_submodule(self, target: str) -> "Module":
        """The module at a dotted path; the empty path is this module.

        Raises:
            AttributeError: there is nothing at the path, or something that is no Module.
        """
        module: Any = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: "Module", strict: bool = False) -> None:
        """Put a module in the place of the one at a dotted path, or (unless ``strict``) where there is none.

        Raises:
            ValueError: the path is empty, or ``module`` is no Module.
            AttributeError: the path leads through something that is no Module, or to what is none.
        """
        if not target:
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if strict or hasattr(owner, name):
            owner.get_submodule(name)
        setattr(owner, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path. Raises AttributeError where there is none."""
        return self._get_member(target, lambda found, owner, name: isinstance(found, Parameter), "an nn.Parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path. Raises AttributeError where there is none."""
        return self._get_member(target, lambda found, owner, name: name in owner._buffers, "a buffer")

    def _get_member(self, target: str, is_kind: Callable, kind: str) -> Any:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if not hasattr(owner, name):
            raise AttributeError(f"{type(owner).__name__} has no attribute `{name}`")
        found = getattr(owner, name)
        if not is_kind(found, owner, name):
            raise AttributeError(f"`{name}` is not {kind}")
        return found

    # -- changing everything below -------------------------------------------------------------------------------------

    def apply(self, fn: Callable) -> "Module":
        """Call ``fn(module)`` on every module below this one, and then on this one."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> "Module":
        """Set training mode here and below: dropout drops, batch norm uses the batch's statistics."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> "Module":
        """Set evaluation mode: ``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> "Module":
        """Set ``requires_grad`` of every parameter."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)  # type: ignore[attr-defined]
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop every parameter's gradient, or (``set_to_none=False``) fill it with zeros."""
        for parameter in self.parameters():
            clear_grad(parameter, set_to_none)

    # -- printing ------------------------------------------------------------------------------------------------------

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What stands between the parentheses of this module's ``repr``; for subclasses to define."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): " + indented(repr(module)) for name, module in self._modules.items()]
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({lines[0]})"
        if not lines and not children:
            return f"{self._get_name()}()"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines + children) + "\n)"


def clear_grad(parameter: Tensor, set_to_none: bool) -> None:
    """Drop a gradient, or (``set_to_none=False``) detach it and fill it with zeros."""
    if set_to_none or parameter._grad is None:
        parameter._grad = None
        return
    if parameter._grad._fn is not None:
        parameter._grad.detach_()
    else:
        parameter._grad.requires_grad_(False)
    parameter._grad.zero_()


def type_name(value: Any) -> str:
    """A value's type as PyTorch's messages name it: ``torch.FloatTensor``, ``list``, ``numpy.ndarray``."""
    kind = type(value)
    if isinstance(value, Tensor):
        return value.type() if kind is Tensor else f"torch.nn.parameter.{kind.__name__}"  # type: ignore[attr-defined]
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def _addindent(s_: str, numSpaces: int) -> str:
    """A text with all lines but the first indented; for subclasses that print themselves."""
    return s_.replace("\n", "\n" + numSpaces * " ")
