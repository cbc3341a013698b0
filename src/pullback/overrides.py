"""``torch.overrides``: objects that take part in every public function by their ``__torch_function__``.

Subclasses of Tensor, other objects that define the protocol, and modes (:class:`TorchFunctionMode`) are asked before a
public function, method, operator or property does its own work. Nobody pays for this who does not use it: functions
are written without a thought of it, and :func:`intercept_all` exchanges their code, once, when the first subclass is
defined, the first mode entered, or the first foreign object refused as an operand. They stay the same objects, so that
``func is torch.add`` and dictionaries keyed by function work. Invariant: what a function does itself is kept in its
``unwatched``, and runs only when no mode is on and no argument wants to take over, or all is disabled.
"""

import sys
from collections.abc import Callable, Iterable
from functools import cache, partial, wraps
from types import FunctionType
from typing import Any

from . import conversion, creation, from_data, info, sampling, tensor
from .attributes import Size
from .context import Block, During, Setting
from .devices import device
from .dtypes import dtype
from .interpreters.dispatch import OPERATORS
from .ops.indexing import alias_item
from .source import twin
from .tape import record
from .tape.backward import backward, grad
from .tape.fast import call
from .tape.value import Tensor, closing, new, plain
from .tensor import NAMESPACES

# -- who wants to take over --------------------------------------------------------------------------------------------

NOTHING, SUBCLASSES, ALL = 0, 1, 2
_modes = Setting("torch function modes", (), closing)
_disabled = Setting("torch function disabled", NOTHING, set())

# Types that have nothing to say, so that most arguments need no look; and containers that are looked into.
ordinary: set[type] = {
    *(Tensor, bool, int, float, complex, str, bytes, slice, type(None), type(...), type, dtype, device, Size)
}
CONTAINERS = (list, tuple)

# Functions that tensors' subclasses do not take over, and those that nobody does.
ONLY_MODES = {from_data.tensor, from_data.as_tensor, from_data.asarray}
IGNORED = {
    *(
        "is_tensor",
        "is_storage",
        "typename",
        "from_dlpack",
        "from_numpy",
        "frombuffer",
        "manual_seed",
        "seed",
        "initial_seed",
    ),
    *("get_rng_state", "set_rng_state", "broadcast_shapes"),
}
INTERNAL = {"__array_function__", "__array_ufunc__", "__iter__", "__new__", "as_subclass", "interpret", "rank"}

# Members of the tensor that are shown as another one: ``x + y`` as ``torch.Tensor.add``.
SEEN_AS = {
    "__add__": "add", "__radd__": "add", "__iadd__": "add_", "__sub__": "sub", "__isub__": "sub_", "__mul__": "mul",
    "__rmul__": "mul", "__imul__": "mul_", "__truediv__": "div", "__itruediv__": "div_", "__ifloordiv__": "floor_divide_",
    "__mod__": "remainder", "__imod__": "remainder_", "__rand__": "bitwise_and", "__ror__": "bitwise_or",
    "__rxor__": "bitwise_xor", "__lt__": "lt", "__le__": "le", "__gt__": "gt", "__ge__": "ge", "__ne__": "ne",
    "__matmul__": "matmul", "__neg__": "neg", "__pos__": "positive", "__abs__": "abs",
}  # fmt: skip


def _disabled_torch_function_impl(func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """As a class's ``__torch_function__``: its instances behave as plain tensors, whose results are plain."""
    with DisableTorchFunctionSubclass():
        return func(*args, **(kwargs or {}))


NO_OVERRIDE = staticmethod(_disabled_torch_function_impl)


def takes_over(kind: type) -> bool:
    """Whether a class has a ``__torch_function__`` of its own."""
    if kind is Tensor:
        return False
    return getattr(kind, "__torch_function__", _disabled_torch_function_impl) is not _disabled_torch_function_impl


def overriders(arguments: Iterable) -> list:
    """The arguments, also those in lists, that may take over: one of each type, subclasses before their bases."""
    found: list[Any] = []
    for value in arguments:
        kind = type(value)
        if kind in ordinary:
            continue
        if issubclass(kind, CONTAINERS):
            for each in overriders(value):
                insert(found, each)
        elif takes_over(kind):
            insert(found, value)
    return found


def insert(found: list, value: Any) -> None:
    kinds = [type(each) for each in found]
    if type(value) not in kinds:
        bases = [i for i, kind in enumerate(kinds) if issubclass(type(value), kind)]
        found.insert(bases[0] if bases else len(found), value)


def enter(
    public: Any, function: Callable, args: tuple, kwargs: dict, is_operator: bool = False, only_self: bool = False
) -> Any:
    """Call a public function: whoever wants to take over is asked, else ``function`` does its work."""
    disabled, modes = _disabled.get(), _modes.get()
    if not modes and public in ONLY_MODES:
        with DisableTorchFunctionSubclass():
            return function(*args, **kwargs)
    asked = args[:1] if only_self else (*args, *kwargs.values())
    found = [] if disabled or public in ONLY_MODES else overriders(asked)
    if disabled == ALL or not (found or modes):
        return function(*args, **kwargs)
    result = ask(public, found, args, kwargs)
    if result is NotImplemented and not is_operator:
        raise unanswered(public, found)
    return result


enter_operator = partial(enter, is_operator=True)
enter_property = partial(enter, only_self=True)


def ask(public: Any, found: list, args: tuple, kwargs: dict) -> Any:
    """What the innermost mode, or the first of the overriders that has an answer, returns; NotImplemented for none."""
    types, modes = tuple([type(each) for each in found]), _modes.get()
    if modes:
        with During(_modes, modes[:-1]):
            result = modes[-1].__torch_function__(public, types, args, kwargs)
        if result is not NotImplemented:
            return result
    for each in found:
        result = each.__torch_function__(public, types, args, kwargs)
        if result is not NotImplemented:
            return result
    return NotImplemented


def unanswered(public: Any, found: list) -> TypeError:
    name = resolve_name(public) or getattr(public, "__name__", public)
    asked = [f"tensor subclass {type(each)}" if isinstance(each, Tensor) else str(type(each)) for each in found]
    asked += [f"mode object {mode}" for mode in _modes.get()[-1:]]
    return TypeError(
        f"Multiple dispatch failed for '{name}'; all __torch_function__ handlers returned NotImplemented: no implementation "
        f"found for '{name}' on types that implement __torch_function__: {', '.join(asked)}. Handle the function in one "
        "of them, or pass plain tensors (x.as_subclass(torch.Tensor))"
    )


# -- exchanging the code of public functions ---------------------------------------------------------------------------


def watched(*args, **kwargs):  # type: ignore[no-untyped-def]
    """The code that a public function is given: the strings stand for constants of the function's own."""
    plain, ordinary, function, public, enter = "plain", "ordinary", "function", "public", "enter"  # type: Any, Any, Any, Any, Any
    if plain:  # else a mode may be on
        for value in (*args, *kwargs.values()) if kwargs else args:
            if type(value) not in ordinary:
                break
        else:
            return function(*args, **kwargs)
    return enter(public, function, args, kwargs)


def intercept(function: FunctionType, public: Any = None, enter: Callable = enter) -> None:
    """Give a function the code that asks first; ``public`` is the object that those asked get to see."""
    with tensor.making:
        if "unwatched" in function.__dict__:
            return
        own, code = twin(function), watched.__code__
        values = (plain, ordinary, own, public or function, enter)
        function.__code__ = code.replace(
            co_consts=tuple([values if type(each) is tuple else each for each in code.co_consts]),
            co_name=function.__name__,
            co_freevars=function.__code__.co_freevars,
        )
        function.unwatched = function.__wrapped__ = own  # type: ignore[attr-defined]


def intercept_member(name: str, member: Any) -> None:
    """Intercept a method, operator or property of the tensor."""
    if name in INTERNAL:
        return
    if isinstance(member, FunctionType):
        public = getattr(Tensor, SEEN_AS[name]) if name in SEEN_AS else member
        intercept(member, public, enter_operator if name in OPERATORS else enter)
    elif isinstance(member, property):
        for part, public in (("fget", "__get__"), ("fset", "__set__"), ("fdel", "__delete__")):
            if getattr(member, part) is not None:
                intercept(getattr(member, part), getattr(member, public), enter_property)


@cache
def intercept_all() -> None:
    """Let every public function and member of the tensor, made or not, ask first; from now on, once and for all."""
    tensor.on_function.append(intercept)
    tensor.on_member.append(intercept_member)
    for function in functions_of_python():
        intercept(function)
    for space in NAMESPACES.values():
        for function in space.values():
            intercept(function)
    for name, member in list(vars(Tensor).items()):
        intercept_member(name, member)


def functions_of_python() -> list:
    """The public functions that are no operations, without those that overriding is not for."""
    modules = (conversion, creation, from_data, info, sampling)
    named = [vars(module)[name] for module in modules for name in module.__all__ if name not in IGNORED]
    return [backward, grad, *[function for function in named if isinstance(function, FunctionType)]]


def prepare() -> None:
    """What must be so from the start: members that are functions of their own, and functions that know foreign objects.

    Operations refuse a foreign operand in one place, ``record.foreign``. Functions of Python that take tensors have no
    such place, and ask from the start.
    """
    public = functions_of_python()
    for name, member in list(vars(Tensor).items()):
        if isinstance(member, FunctionType) and (member in public or member.__name__ != name) and name not in INTERNAL:
            setattr(Tensor, name, twin(member, name))
    for function in public:
        if function.__code__.co_varnames[:1] in (("input",), ("tensor1",)):
            intercept(function)
    record.foreign = take_up


unheard = record.foreign


def take_up(operation: Any, args: tuple, error: Exception | None) -> Any:
    """A function, or an operator, has refused its arguments: call it again if one of them has its own implementation."""
    if not overriders(args):
        return unheard(operation, args, error)
    intercept_all()
    if error is None:
        return getattr(Tensor, operation if isinstance(operation, str) else operation.name)(*args[:2])
    if not operation.function:
        raise error
    given = dict(zip(operation.params, args, strict=True))
    required = [given.pop(name) for name in operation.params if name not in operation.defaults]
    if operation.star == operation.params[0]:
        required = list(required[0])
    options = {name: value for name, value in given.items() if value is not operation.defaults[name]}
    home, _, own = operation.homes[0].partition(":")
    return NAMESPACES[home][own or operation.name](*required, **options)


# -- subclasses of Tensor ----------------------------------------------------------------------------------------------


def __torch_function__(cls: type, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """The default of tensors' subclasses: run the function, and give its results the class."""
    if not all(issubclass(cls, kind) for kind in types):
        return NotImplemented
    with DisableTorchFunctionSubclass():
        result = func(*args, **(kwargs or {}))
    return result if func in get_default_nowrap_functions() else converted(result, cls)


def converted(result: Any, cls: type) -> Any:
    """Tensors, also those in tuples and lists, as instances of a class."""
    if isinstance(result, (tuple, list)):
        parts = [converted(each, cls) for each in result]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
    if isinstance(result, Tensor) and not isinstance(result, cls):
        return as_kind(cls, call(alias_item, (result, (...,))))
    return result


def as_kind(cls: type, source: Any) -> Any:
    """An instance of a class that takes over a new tensor's data, history and place among views."""
    made: Any = new(cls)
    made._data, made._flags, made._fn = source._data, source._flags, source._fn
    made.__dict__.update(source.__dict__)
    return made


def as_subclass(self: Any, cls: type) -> Any:
    """The tensor as an instance of a subclass of Tensor: with the same memory, and with its history."""
    check_subclass(cls)
    with DisableTorchFunctionSubclass():
        return as_kind(cls, call(alias_item, (self, (...,))))


def _make_subclass(cls: type, data: Any, require_grad: bool = False, **ignored: Any) -> Any:
    """A leaf of a subclass of Tensor on another tensor's memory."""
    check_subclass(cls)
    with DisableTorchFunctionSubclass():
        return as_kind(cls, data.detach()).requires_grad_(require_grad)


def check_subclass(cls: Any) -> None:
    if not isinstance(cls, type) or not issubclass(cls, Tensor):
        raise TypeError(
            f"cls must be a type that inherits from Tensor, got {cls!r}. Creating a Tensor subclass from a class that does "
            "not inherit from Tensor is not possible. Make sure your class inherits from Tensor."
        )


def __init_subclass__(cls: type, **options: Any) -> None:
    super(Tensor, cls).__init_subclass__(**options)  # type: ignore[misc]
    if takes_over(cls):
        intercept_all()


# -- NumPy's protocols of the same kind --------------------------------------------------------------------------------


def __array_ufunc__(self: Any, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """NumPy's ufuncs on tensors: see ``numpy_protocols``."""
    from .numpy_protocols import apply_ufunc

    return apply_ufunc(ufunc, method, inputs, kwargs)


def __array_function__(self: Any, func: Any, types: Any, args: tuple, kwargs: dict) -> Any:
    """NumPy's functions on tensors: see ``numpy_protocols``."""
    from .numpy_protocols import apply_function

    return apply_function(func, args, kwargs)


# -- switches and modes ------------------------------------------------------------------------------------------------


class DisableTorchFunctionSubclass(Block):
    """Context manager: inside, tensors' subclasses and other objects are not asked; modes are."""

    what = SUBCLASSES

    def enter(self) -> None:
        _disabled.enter(max(self.what, _disabled.get()), self)

    def leave(self) -> None:
        _disabled.leave(self)


class DisableTorchFunction(DisableTorchFunctionSubclass):
    """Context manager: inside, nobody is asked, and functions do their own work."""

    what = ALL


class TorchFunctionMode:
    """Context manager: inside, in this thread, ``__torch_function__`` gets every call of a public function.

    A subclass defines ``__torch_function__(self, func, types, args=(), kwargs=None)``, which returns the call's result.
    While it runs, the mode is off. Of nested modes the innermost is asked, and its own calls go to the next.

    >>> from pullback.overrides import TorchFunctionMode
    >>> class Count(TorchFunctionMode):
    ...     calls = 0
    ...
    ...     def __torch_function__(self, func, types, args=(), kwargs=None):
    ...         self.calls += 1
    ...         return func(*args, **(kwargs or {}))
    >>> with Count() as count:
    ...     y = torch.ones(2) + 1
    >>> count.calls
    2
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NotImplementedError(
            "a TorchFunctionMode must define __torch_function__(self, func, types, args=(), kwargs=None)"
        )

    def __enter__(self) -> Any:
        intercept_all()
        _modes.enter((*_modes.get(), self), self)
        return self

    def __exit__(self, *exc: object) -> None:
        _modes.leave(self)


class BaseTorchFunctionMode(TorchFunctionMode):
    """A mode that changes nothing, to inherit from."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def _get_current_function_mode_stack() -> list:
    """The modes that are on in this thread, the innermost last."""
    return list(_modes.get())


# -- for those who write public functions of their own -----------------------------------------------------------------


def has_torch_function(relevant_args: Iterable) -> bool:
    """Whether any of the arguments, or a mode, wants to take over a function's call."""
    if _disabled.get() == ALL:
        return False
    return bool(_modes.get()) or (not _disabled.get() and any(takes_over(type(each)) for each in relevant_args))


def handle_torch_function(public_api: Callable, relevant_args: Iterable, *args: Any, **kwargs: Any) -> Any:
    """Ask the modes and arguments that :func:`has_torch_function` found; to be called by the function itself.

    Raises:
        TypeError: all of them returned NotImplemented.
    """
    found = overriders(relevant_args)
    if not found and not _modes.get():
        return public_api(*args, **kwargs)
    result = ask(public_api, found, args, kwargs)
    if result is NotImplemented:
        raise unanswered(public_api, found)
    return result


def wrap_torch_function(dispatcher: Callable) -> Callable:
    """Decorator: a function that can be overridden; ``dispatcher`` gets its arguments, and returns the relevant ones."""

    def decorate(function: Callable) -> Callable:
        @wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            relevant = dispatcher(*args, **kwargs)
            if has_torch_function(relevant):
                return handle_torch_function(wrapped, relevant, *args, **kwargs)
            return function(*args, **kwargs)

        return wrapped

    return decorate


def is_tensor_like(inp: Any) -> bool:
    """Whether an object is a tensor, or has a ``__torch_function__``."""
    return isinstance(inp, Tensor) or hasattr(inp, "__torch_function__")


# -- what can be overridden --------------------------------------------------------------------------------------------


def members() -> dict[Any, str]:
    """The tensor's methods, and the parts of its properties, with their names."""
    found: dict[Any, str] = {}
    for name in [*vars(Tensor)]:
        member = None if name in INTERNAL else getattr(Tensor, name)
        if isinstance(member, FunctionType):
            found.setdefault(member, f"torch.Tensor.{name}")
        elif isinstance(member, property):
            for part in ("__get__", "__set__"):
                found[getattr(member, part)] = f"torch.Tensor.{name}.{part}"
    return found


def is_tensor_method_or_property(func: Any) -> bool:
    """Whether a function is a method of the tensor, or the getter or setter of one of its properties."""
    return func in members()


def resolve_name(f: Any) -> str | None:
    """The name that a function is found by, such as ``torch.Tensor.add``; None where it cannot be overridden."""
    found = members().get(f)
    if found is not None:
        return found
    for home, space in NAMESPACES.items():
        names = [name for name, function in space.items() if function is f]
        if names:
            return ("torch." if home == "torch" else f"torch.{home}.") + names[0]
    home = "torch.autograd" if f in (backward, grad) else "torch"
    return f"{home}.{f.__name__}" if f in functions_of_python() else None


def get_overridable_functions() -> dict[Any, list]:
    """All that can be overridden, by the module (or Tensor) that it belongs to."""
    found: dict[Any, list] = {Tensor: list(members())}
    for home, space in NAMESPACES.items():
        module = sys.modules.get(f"{__package__}.{home}" if home != "torch" else __package__, home)
        found[module] = [space[name] for name in space.names()]
    found[sys.modules[__package__]] += functions_of_python()
    return found


def get_testing_overrides() -> dict[Any, Callable]:
    """For everything that can be overridden, a function of the same signature that returns -1."""
    import inspect

    def stand_in(function: Any) -> Callable:
        made: Any = lambda *args, **kwargs: -1
        if isinstance(function, FunctionType):
            made.__signature__ = inspect.signature(function)
        return made

    return {function: stand_in(function) for each in get_overridable_functions().values() for function in each}


def get_ignored_functions() -> set:
    """Public functions that are never overridden."""
    found = [vars(module).get(name) for module in (conversion, creation, from_data, info, sampling) for name in IGNORED]
    return {each for each in found if each is not None} | {getattr(Tensor, name, None) for name in INTERNAL}


@cache
def get_default_nowrap_functions() -> set:
    """Functions whose results the default ``__torch_function__`` returns as they are."""
    return {Tensor.grad.__get__, Tensor._base.__get__}  # type: ignore[attr-defined]


CLASS_MEMBERS = (staticmethod(_make_subclass), classmethod(__torch_function__), classmethod(__init_subclass__))
for member in (as_subclass, __array_ufunc__, __array_function__, *CLASS_MEMBERS):
    setattr(Tensor, member.__name__, member)
prepare()

__all__ = [
    *("BaseTorchFunctionMode", "TorchFunctionMode", "get_default_nowrap_functions", "get_ignored_functions"),
    *("get_overridable_functions", "get_testing_overrides", "handle_torch_function", "has_torch_function"),
    *("is_tensor_like", "is_tensor_method_or_property", "resolve_name", "wrap_torch_function"),
]
