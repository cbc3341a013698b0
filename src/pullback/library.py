"""``torch.library``: operations that users declare, with a schema, and their own kernels and rules.

Responsible for schemas, and for the checks that an operation does what its schema says. How its derivative and its
batching go through the interpreters is ``autograd.Function``'s business: each operation is one. ``torch.ops`` finds
them by name (``ops.namespaces``).
"""

import collections.abc
import inspect
import re
from ast import literal_eval
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

import numpy as np

from . import tree
from .autograd.function import Function
from .conversion import concrete
from .devices import device
from .dtypes import dtype
from .ops.namespaces import OpNamespace, operations
from .tape.modes import no_grad
from .tape.storage import mark_written, owner
from .tape.value import Tensor

# -- schemas -----------------------------------------------------------------------------------------------------------

NAMES: dict[Any, str] = {
    Tensor: "Tensor", int: "SymInt", float: "float", bool: "bool", str: "str", dtype: "ScalarType", device: "Device",
    complex: "complex", NoneType: "()",
}  # fmt: skip
TYPES: dict[str, Any] = {
    "Tensor": Tensor, "SymInt": int, "int": int, "float": (int, float), "bool": bool, "str": str, "ScalarType": dtype,
    "Device": (device, str), "Scalar": (bool, int, float, complex), "complex": (int, float, complex),
}  # fmt: skip
EMPTY = inspect.Parameter.empty
PARAMETER = re.compile(r"(\*)|(\w+)(\(\w+!\))?([?\[\]]*) (\w+)(?:=(.*))?")


class Parameter(NamedTuple):
    """One argument of a schema."""

    name: str
    type: str
    mutable: bool
    default: Any


def read_schema(text: str) -> tuple[list[Parameter], int, list[str]]:
    """The parameters of ``(Tensor x, *, float by=1.0) -> Tensor``, how many may be positional, and the results' types."""
    inside, returns = text.strip()[1:].rsplit(") ->", 1)
    found, positional = [], None
    for part in filter(None, inside.split(", ")):
        star, kind, mutable, suffix, name, default = PARAMETER.fullmatch(part).groups()  # type: ignore[union-attr]
        if star:
            positional = len(found)
        else:
            value = EMPTY if default is None else literal_eval(default)
            found.append(Parameter(name, kind + suffix, bool(mutable), value))
    results = [each for each in returns.strip().strip("()").split(", ") if each]
    return found, len(found) if positional is None else positional, results


def fits(value: Any, kind: str) -> bool:
    """Whether a value is of a schema's type."""
    if kind.endswith("?"):
        return value is None or fits(value, kind[:-1])
    if kind.endswith("[]"):
        return isinstance(value, (list, tuple)) and all(fits(each, kind[:-2]) for each in value)
    return isinstance(value, TYPES[kind]) and (kind in ("bool", "Scalar") or not isinstance(value, bool))


def schema_type(annotation: Any) -> str | None:
    """The schema's name of a type annotation, or None where it has none."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        rest = {each for each in inner if each is not NoneType}
        is_number = len(rest) > 1 and rest <= {int, float, bool}
        found = "Scalar" if is_number else schema_type(rest.pop()) if len(rest) == 1 else None
        return found and found + "?" * (NoneType in inner)
    if origin in (list, collections.abc.Sequence):
        return (schema_type(inner[0]) or "") + "[]" if schema_type(inner[0]) else None
    return NAMES.get(annotation) if isinstance(annotation, collections.abc.Hashable) else None


def infer_schema(prototype_function: Callable, /, *, mutates_args: Any, op_name: str | None = None) -> str:
    """The schema that a function's type annotations say.

    Args:
        prototype_function: every parameter, and the result, has an annotation.
        mutates_args: the names of the arguments that it writes to, or ``"unknown"``: all tensors.

    Raises:
        ValueError: an annotation is missing or of no supported type; a mutated argument is none, or no tensor.

    >>> def scale(x: torch.Tensor, by: float = 2.0) -> torch.Tensor: ...
    >>> torch.library.infer_schema(scale, mutates_args=())
    '(Tensor x, float by=2.0) -> Tensor'
    """
    signature = inspect.signature(prototype_function, eval_str=True)
    try:
        parts = []
        for number, parameter in enumerate(signature.parameters.values()):
            if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
                parts.append("*")
            parts.append(written(number, parameter, mutates_args))
        if mutates_args != "unknown" and (missing := {*mutates_args} - {*signature.parameters}):
            raise ValueError(
                f"{missing} in mutates_args were not found in the custom op's signature. mutates_args should contain the names "
                "of all args that the custom op mutates, or just the string 'unknown' if you don't know."
            )
        if signature.return_annotation is EMPTY:
            raise ValueError("No return type annotation was provided. Please add one.")
        return f"{op_name or ''}({', '.join(parts)}) -> {returned(signature.return_annotation)}"
    except ValueError as error:
        raise ValueError(f"infer_schema(func): {error} Got func with signature {signature})") from None


def written(number: int, parameter: inspect.Parameter, mutates_args: Any) -> str:
    """A parameter as a schema has it."""
    name, default = parameter.name, parameter.default
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise ValueError("We do not support positional-only args, varargs, or varkwargs.")
    if parameter.annotation is EMPTY:
        raise ValueError(f"Parameter {name} must have a type annotation.")
    kind = schema_type(parameter.annotation)
    if kind is None or kind == "()":
        raise ValueError(
            f"Parameter {name} has unsupported type {parameter.annotation}. The valid types are: {list(NAMES)[:-1]}, lists "
            "of them, and their Optionals."
        )
    if kind.startswith("Tensor") if mutates_args == "unknown" else name in mutates_args:
        if not kind.startswith("Tensor"):
            raise ValueError(
                f"Parameter {name} is in mutable_args but only Tensors or collections of Tensors can be mutated."
            )
        kind = f"Tensor(a{number}!){kind[6:]}"
    if not isinstance(default, (NoneType, int, float, str, type)):
        raise ValueError(f"Parameter {name} has an unsupported default value type {type(default)}.")
    text = f'"{default}"' if isinstance(default, str) else repr(default)
    return f"{kind} {name}" + ("" if default is EMPTY else f"={text}")


def returned(annotation: Any) -> str:
    """The type of a result as a schema has it."""
    if get_origin(annotation) is tuple:
        return f"({', '.join(map(returned, get_args(annotation)))})"
    kind = "()" if annotation is None else schema_type(annotation)
    if kind is None or kind.endswith("?"):
        raise ValueError(
            f"Return has unsupported type {annotation}. The valid types are: {list(NAMES)}, and lists of Tensors."
        )
    return kind


# -- operations --------------------------------------------------------------------------------------------------------


class CustomOpDef:
    """An operation that :func:`custom_op` made: a function, to which rules can be registered."""

    _is_composite = False  # without a derivative of its own, its kernel is differentiated (:class:`Library`)
    _backward: Callable | None = None
    _setup_context: Callable | None = None
    _fake: Callable | None = None

    def __init__(self, namespace: str, name: str, schema: str) -> None:
        self._namespace, self._name, self._qualname, self._schema = namespace, name, f"{namespace}::{name}", schema
        self._parameters, self._positional, self._returns = read_schema(schema)
        self._mutable = [i for i, p in enumerate(self._parameters) if p.mutable]
        self._kernels: dict[str | None, Callable] = {}
        self._disabled: set[str] = set()
        rules = {
            "forward": staticmethod(lambda *args: self._run(*args)),
            "setup_context": staticmethod(lambda ctx, inputs, output: self._setup(ctx, inputs, output)),
            "backward": staticmethod(lambda ctx, *grads: self._pull(ctx, *grads)),
        }
        self._function: Any = type(f"GeneratedBackwardFor_{namespace}_{name}_default", (Function,), rules)
        self.default = self._opoverload = self
        operations.setdefault(namespace, {})[name] = self

    def __repr__(self) -> str:
        return f"<CustomOpDef({self._qualname})>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        values = self._bound(args, kwargs)
        if self._is_composite and self._backward is None:
            return self._call(self._kernel(), values)
        if not self._mutable:
            return self._function.apply(*values)
        with no_grad():
            return self._run(*values)

    def _bound(self, args: tuple, kwargs: dict) -> tuple:
        """The arguments of a call, in the schema's order, each checked against its type."""
        refusal = None
        given = {**{p.name: value for p, value in zip(self._parameters, args, strict=False)}, **kwargs}
        if len(args) > self._positional:
            refusal = f"expected at most {self._positional} argument(s) but received {len(args)} argument(s)."
        for p in self._parameters:
            value = given.setdefault(p.name, p.default)
            if value is EMPTY:
                refusal = refusal or f"is missing value for argument '{p.name}'."
            elif not fits(value, p.type):
                found = type(value).__name__
                refusal = (
                    refusal
                    or f"Expected a value of type '{p.type}' for argument '{p.name}' but instead found type '{found}'."
                )
        if len(given) > len(self._parameters):
            refusal = refusal or f"has no arguments called {sorted({*given} - {p.name for p in self._parameters})}."
        if refusal:
            raise RuntimeError(f"{self._qualname}() {refusal} Declaration: {self._qualname}{self._schema}")
        return tuple([given[p.name] for p in self._parameters])

    def _keywords(self, values: tuple) -> dict[str, Any]:
        names = [p.name for p in self._parameters]
        return dict(zip(names[self._positional :], values[self._positional :], strict=True))

    def _call(self, function: Callable, values: tuple) -> Any:
        return function(*values[: self._positional], **self._keywords(values))

    # What the Function is made of; keyword-only arguments come last.

    def _run(self, *values: Any) -> Any:
        """The kernel on detached arguments; its results, and what it wrote, are checked and noted."""
        values = tree.map(lambda a: a.detach() if isinstance(a, Tensor) else a, values)  # type: ignore[attr-defined]
        result = self._call(self._kernel(), values)
        for tensor in tree.leaves([values[i] for i in self._mutable]):
            if tensor is not None:
                mark_written(tensor._data, self._qualname)
        self._check(values, result)
        return result

    def _kernel(self) -> Callable:
        general = self._kernels.get(None)
        found = general if "cpu" in self._disabled else self._kernels.get("cpu", general)
        if found is None:
            raise NotImplementedError(
                f"Could not run '{self._qualname}' with arguments from the 'CPU' backend: it has kernels for "
                f"{sorted(map(str, self._kernels)) or 'none'}. Add one with register_kernel('cpu')"
            )
        return found

    def _check(self, values: tuple, result: Any) -> None:
        results = () if result is None else result if isinstance(result, (tuple, list)) else (result,)
        kinds = [kind.removesuffix("[]") for kind in self._returns for _ in (results if kind.endswith("[]") else (0,))]
        if len(kinds) != len(results) or not all(map(fits, results, kinds)):
            raise RuntimeError(
                f"{self._qualname}: Unable to cast {result!r} to what its schema returns: {self._schema}"
            )
        given = {id(memory(leaf)) for leaf in tree.leaves(values) if isinstance(leaf, Tensor)}
        made = [id(memory(each)) for each in results if isinstance(each, Tensor)]
        if given & {*made} or len({*made}) < len(made):
            raise RuntimeError(
                f"{self._name} (with implementation in {self._kernel().__module__}): The output of this custom operator (1) must "
                "not also be an input to this custom operator and (2) may not alias any inputs to this custom operator or "
                "other returns. If a result shares memory with an argument, return its clone(); a result that an argument "
                "is written into need not be returned."
            )

    def _setup(self, ctx: Any, inputs: tuple, output: Any) -> None:
        if self._setup_context is not None:
            keywords = {"keyword_only_inputs": self._keywords(inputs)} if len(inputs) > self._positional else {}
            self._setup_context(ctx=ctx, inputs=inputs[: self._positional], output=output, **keywords)

    def _pull(self, ctx: Any, *grads: Any) -> Any:
        if self._backward is None:
            raise RuntimeError(
                f"Trying to backward through {self._namespace}.{self._name}.default but no autograd formula was registered. "
                "Please use register_autograd to add one."
            )
        found = self._backward(ctx, *grads)
        return (found if isinstance(found, tuple) else (found,)) + (None,) * (len(self._parameters) - self._positional)

    # What users register.

    def register_autograd(self, backward: Callable, /, *, setup_context: Callable | None = None) -> None:
        """Set the derivative: ``backward(ctx, *grads)`` returns a gradient for each positional argument.

        ``setup_context(ctx, inputs, output)`` keeps what it needs; with keyword-only arguments it is also given
        ``keyword_only_inputs``.

        Raises:
            RuntimeError: the operation writes to its arguments.
        """
        if self._mutable:
            raise RuntimeError(
                f"Cannot register autograd formula for non-functional operator {self} with schema {self._qualname}{self._schema}. "
                "Please create a functional operator and register an autograd formula for that."
            )
        self._backward, self._setup_context = backward, setup_context

    def register_vmap(self, func: Callable | None = None, /) -> Callable:
        """Set the batching rule: ``func(info, in_dims, *args)`` returns the outputs of a batch, and where its dim is."""
        if func is None:
            return self.register_vmap
        self._function.vmap = staticmethod(
            lambda info, in_dims, *values: self._call(partial(func, info, in_dims[: self._positional]), values)
        )
        return func

    def register_fake(self, func: Callable | None = None, /) -> Callable:
        """Set the function that makes outputs of the right shapes and dtypes; :func:`opcheck` compares it."""
        if func is None:
            return self.register_fake
        self._fake = func
        return func

    def register_kernel(self, device_types: Any, func: Callable | None = None, /) -> Callable:
        """Set the implementation for devices, or for all (None); those for others than the CPU never run."""
        if func is None:
            return partial(self.register_kernel, device_types)
        for each in device_types if isinstance(device_types, (list, tuple)) else (device_types,):
            self._kernels[each] = func
        return func

    @contextmanager
    def set_kernel_enabled(self, device_type: str, enabled: bool = True) -> Iterator[None]:
        """Context manager: whether the kernel that was registered for a device is used rather than the general one."""
        before = self._disabled
        self._disabled = before - {device_type} if enabled else before | {device_type}
        try:
            yield
        finally:
            self._disabled = before


def memory(tensor: Any) -> Any:
    """The object that owns a tensor's memory."""
    return owner(tensor._data) if type(tensor._data) is np.ndarray else tensor._data


def custom_op(
    name: str, fn: Callable | None = None, /, *, mutates_args: Any, device_types: Any = None, schema: str | None = None
) -> Any:
    """Make a function, say one that calls into SciPy, an operation that autograd and the transforms know.

    Args:
        name: ``"namespace::name"``; the operation is also found as ``torch.ops.namespace.name``.
        fn: the function; without it, this is a decorator. It gets detached tensors, and its results must share no
            memory with them.
        mutates_args: the names of the arguments that it writes to, or ``"unknown"``.
        device_types: the devices that ``fn`` is for, such as ``"cpu"``; None for all.
        schema: types of arguments and results, where ``fn`` has no annotations that say them.

    >>> @torch.library.custom_op("doc::scaled", mutates_args=())
    ... def scaled(x: torch.Tensor, by: float) -> torch.Tensor:
    ...     return torch.from_numpy(x.numpy() * by)
    >>> scaled.register_autograd(lambda ctx, grad: (grad * 2, None))
    >>> torch.func.grad(lambda x: scaled(x, 2.0).sum())(torch.ones(2))
    tensor([2., 2.])
    """
    if fn is None:
        return partial(custom_op, name, mutates_args=mutates_args, device_types=device_types, schema=schema)
    namespace, short = split_name(name)
    op = CustomOpDef(namespace, short, schema or infer_schema(fn, mutates_args=mutates_args))
    op._init_fn = op.register_kernel(device_types, fn)  # type: ignore[attr-defined]
    return op


def split_name(name: str) -> list[str]:
    parts = name.split("::")
    if len(parts) != 2:
        raise ValueError(f"expected a name of the form 'namespace::name', got {name!r}")
    return parts


def operation(op: Any) -> CustomOpDef:
    """The operation of a name, or itself."""
    return op if isinstance(op, CustomOpDef) else getattr(OpNamespace(split_name(op)[0]), split_name(op)[1])


def by_name(method: Callable) -> Callable:
    """A method of operations as a function that takes the operation, or its name, first."""

    @wraps(method)
    def register(op: Any, *args: Any, lib: Any = None, **options: Any) -> Any:
        return method(operation(op), *args, **options)

    return register


register_autograd, register_vmap = by_name(CustomOpDef.register_autograd), by_name(CustomOpDef.register_vmap)
register_fake, register_kernel = by_name(CustomOpDef.register_fake), by_name(CustomOpDef.register_kernel)


class Library:
    """The older way to declare operations: ``define`` their schemas, and ``impl`` their kernels."""

    def __init__(self, ns: str, kind: str, dispatch_key: str = "") -> None:
        self.ns, self.kind, self.dispatch_key = ns, kind, dispatch_key

    def define(self, schema: str, alias_analysis: str = "", *, tags: Any = ()) -> str:
        """Declare an operation: ``define("scale(Tensor x, float by) -> Tensor")``; returns its name."""
        name, _, rest = schema.partition("(")
        if name in operations.get(self.ns, {}):
            raise RuntimeError(
                f"Tried to register an operator ({self.ns}::{schema}) with the same name multiple times."
            )
        CustomOpDef(self.ns, name, f"({rest}")._is_composite = True
        return name

    def impl(self, op_name: str, fn: Callable, dispatch_key: str = "") -> Callable:
        """Set a kernel, and return it; keys of other devices than the CPU, and of Autograd, set none."""
        key = dispatch_key or self.dispatch_key
        if key in ("", "CPU") or key.startswith("Composite"):
            operation(f"{self.ns}::{op_name}").register_kernel("cpu" if key == "CPU" else None, fn)
        return fn


def define(qualname: str, schema: str, *, lib: Any = None, tags: Any = ()) -> None:
    """Declare an operation ``"namespace::name"`` by its schema: ``define("lib::scale", "(Tensor x, float by) -> Tensor")``."""
    namespace, name = split_name(qualname)
    (lib or Library(namespace, "FRAGMENT")).define(name + schema, tags=tags)


def impl(qualname: Any, types: Any, func: Any = None, *, lib: Any = None) -> Any:
    """Set an operation's kernel for devices (``"cpu"``, ``"default"`` or several), or for a dispatch key; without ``func``, a
    decorator. ``impl(lib, name, dispatch_key)`` is the older form, with a :class:`Library`."""
    if isinstance(qualname, Library):
        return partial(qualname.impl, types, dispatch_key=func or "")
    if func is None:
        return lambda fn: impl(qualname, types, fn, lib=lib)
    namespace, name = split_name(qualname)
    for key in (types,) if isinstance(types, str) else types:
        (lib or Library(namespace, "FRAGMENT")).impl(name, func, {"cpu": "CPU", "default": ""}.get(key, key))
    return func


# -- checking ----------------------------------------------------------------------------------------------------------


class OpCheckError(Exception):
    """What :func:`opcheck` found wrong."""


def opcheck(
    op: Any,
    args: tuple,
    kwargs: dict | None = None,
    *,
    test_utils: Any = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic"),
    raise_exception: bool = True,
    atol: float | None = None,
    rtol: float | None = None,
) -> dict[str, Any]:
    """Check that an operation does what was said of it, on some arguments.

    Args:
        op: a custom operation.
        args, kwargs: its arguments.
        test_utils: which tests: ``test_schema`` (only what the schema says is written), ``test_faketensor`` (the fake
            function gives the shapes and dtypes of the kernel), ``test_autograd_registration`` and
            ``test_aot_dispatch_dynamic`` (there is a derivative, with gradients of the right shapes), and, where asked
            for, ``test_gradcheck`` (the derivative is the numerical one; for inputs in float64).
        raise_exception: raise what is found first, rather than returning it.

    Raises:
        OpCheckError: a test fails.

    Returns:
        For each test ``"SUCCESS"``, or the error.
    """
    found: dict[str, Any] = {}
    op = operation(op)
    for test in (test_utils,) if isinstance(test_utils, str) else test_utils:
        try:
            CHECKS[test](op, op._bound(*copies((args, kwargs or {}))))
            found[test] = "SUCCESS"
        except Exception as error:
            found[test] = OpCheckError(f"opcheck(op, ...): {test} failed with {error}")
            if raise_exception:
                raise found[test] from error
    return found


def copies(values: Any) -> Any:
    def copy(a: Any) -> Any:
        return a.detach().clone().requires_grad_(a.requires_grad) if isinstance(a, Tensor) else a  # type: ignore[attr-defined]

    return tree.map(copy, values)


def tensors(values: Any) -> list:
    return [leaf for leaf in tree.leaves(values) if isinstance(leaf, Tensor)]


def check_schema(op: CustomOpDef, values: tuple) -> None:
    before = copies(values)
    with no_grad():
        op._run(*values)
    for p, now, then in zip(op._parameters, values, before, strict=True):
        pairs = [[concrete(t, "opcheck").tobytes() for t in tensors(each)] for each in (now, then)]
        if not p.mutable and pairs[0] != pairs[1]:
            raise RuntimeError(f"Argument {p.name} is not defined as mutable but was mutated")


def check_fake(op: CustomOpDef, values: tuple) -> None:
    if op._fake is None:
        raise RuntimeError(f"There was no fake impl registered for {op}. Please use register_fake to add one.")
    with no_grad():
        fake, real = tensors(op._call(op._fake, copies(values))), tensors(op._call(op, values))
    for what in ("shape", "dtype"):
        for a, b in zip(fake, real, strict=True):
            if getattr(a, what) != getattr(b, what):
                raise RuntimeError(
                    f"When comparing the output of {op} on FakeTensor and concrete Tensors, found mismatched tensor metadata: "
                    f"{what.capitalize()}s {getattr(b, what)} and {getattr(a, what)} are not equal!"
                )


def check_backward(op: CustomOpDef, values: tuple) -> None:
    for out in tensors(op._call(op, values)):
        if out.requires_grad:
            out.sum().backward(retain_graph=True)


def check_gradient(op: CustomOpDef, values: tuple) -> None:
    from .autograd.gradcheck import gradcheck

    gradcheck(lambda *given: op._call(op, given), values)


CHECKS: dict[str, Callable] = {
    "test_schema": check_schema, "test_faketensor": check_fake, "test_autograd_registration": check_backward,
    "test_aot_dispatch_dynamic": check_backward, "test_aot_dispatch_static": check_backward, "test_gradcheck": check_gradient,
}  # fmt: skip

__all__ = [
    *(
        "CustomOpDef",
        "Library",
        "custom_op",
        "define",
        "impl",
        "infer_schema",
        "opcheck",
        "register_autograd",
        "register_fake",
    ),
    *("register_kernel", "register_vmap"),
]
