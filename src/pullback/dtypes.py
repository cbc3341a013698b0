"""The data types of tensors: what they are called, how they combine, and what numbers they hold.

Responsible for names, promotion, the default type, `finfo` and `iinfo`. Not responsible for converting arrays.

Invariant: there is one object for each type, so `is` compares types, and a type is never copied or changed.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import Any, NoReturn

import numpy as np

BOOL, INTEGER, FLOATING, COMPLEX = range(4)


class dtype:
    """The type of a tensor's elements. There are only this module's instances, e.g. `float32`.

    `category` orders types for promotion: 0 bool, 1 integer, 2 floating, 3 complex. `numpy` is the NumPy dtype.
    """

    __slots__ = ("_word", "category", "is_complex", "is_floating_point", "is_signed", "itemsize", "name", "numpy")

    name: str
    numpy: np.dtype
    itemsize: builtins.int
    category: builtins.int
    is_floating_point: builtins.bool
    is_complex: builtins.bool
    is_signed: builtins.bool
    _word: str

    def __new__(cls, *args: object, **kwargs: object) -> dtype:
        raise TypeError("cannot create 'torch.dtype' instances")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"'torch.dtype' object attribute '{name}' is read-only")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"'torch.dtype' object attribute '{name}' is read-only")

    def __getattr__(self, name: str) -> Any:
        # Python comes here only for an attribute that is not there: bfloat16's `numpy`, whose slot is left empty
        # until someone asks, so that importing this module does not import ml_dtypes.
        if name == "numpy":
            return _load_bfloat16()
        raise AttributeError(f"'torch.dtype' object has no attribute '{name}'")

    def to_real(self) -> dtype:
        """The type of the real part: float32 for complex64, and itself for what is not complex."""
        return _REAL.get(self, self)

    def to_complex(self) -> dtype:
        """The complex type whose parts hold this one: complex64 for float32 and for the half precisions."""
        if self.category < FLOATING:
            raise RuntimeError(f"Unknown Complex ScalarType for {self._word}")
        return self if self.is_complex else _COMPLEX[self]

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name  # pickled as the name of this module's global, so it comes back as the same object


def _make(name: str, word: str, category: builtins.int, itemsize: builtins.int) -> dtype:
    made = object.__new__(dtype)
    fields = {
        "name": name,
        "_word": word,
        "category": category,
        "itemsize": itemsize,
        "is_floating_point": category == FLOATING,
        "is_complex": category == COMPLEX,
        "is_signed": category != BOOL and not name.startswith("u"),
    }
    if name != "bfloat16":
        fields["numpy"] = np.dtype(name)
    for field, value in fields.items():
        object.__setattr__(made, field, value)
    return made


# The second name is the one that PyTorch's error messages use.
uint8 = _make("uint8", "Byte", INTEGER, 1)
uint16 = _make("uint16", "UInt16", INTEGER, 2)
uint32 = _make("uint32", "UInt32", INTEGER, 4)
uint64 = _make("uint64", "UInt64", INTEGER, 8)
int8 = _make("int8", "Char", INTEGER, 1)
int16 = short = _make("int16", "Short", INTEGER, 2)
int32 = int = _make("int32", "Int", INTEGER, 4)
int64 = long = _make("int64", "Long", INTEGER, 8)
float16 = half = _make("float16", "Half", FLOATING, 2)
bfloat16 = _make("bfloat16", "BFloat16", FLOATING, 2)
float32 = float = _make("float32", "Float", FLOATING, 4)
float64 = double = _make("float64", "Double", FLOATING, 8)
complex64 = cfloat = _make("complex64", "ComplexFloat", COMPLEX, 8)
complex128 = cdouble = _make("complex128", "ComplexDouble", COMPLEX, 16)
bool = _make("bool", "Bool", BOOL, 1)

ALL = (
    *(bool, uint8, uint16, uint32, uint64, int8, int16, int32, int64),
    *(float16, bfloat16, float32, float64, complex64, complex128),
)

_REAL = {complex64: float32, complex128: float64}
_COMPLEX = {float16: complex64, bfloat16: complex64, float32: complex64, float64: complex128}


# -- to and from NumPy -------------------------------------------------------------------------------------------------

_FROM_NUMPY = {t.numpy: t for t in ALL if t is not bfloat16}


def _load_bfloat16() -> np.dtype:
    import ml_dtypes

    numpy_dtype = np.dtype(ml_dtypes.bfloat16)
    object.__setattr__(bfloat16, "numpy", numpy_dtype)
    _FROM_NUMPY[numpy_dtype] = bfloat16
    return numpy_dtype


def from_numpy(np_dtype: Any) -> dtype:
    """The dtype that holds the elements of a NumPy array of `np_dtype`; a TypeError names what is supported."""
    found = _FROM_NUMPY.get(np_dtype)
    return found if found is not None else _from_unusual_numpy(np.dtype(np_dtype))


def _from_unusual_numpy(np_dtype: np.dtype) -> dtype:
    """`from_numpy` for what is not a key of the table: scalar classes, the first bfloat16, and errors."""
    if np_dtype.name == "bfloat16":
        _load_bfloat16()
    if np_dtype in _FROM_NUMPY:
        return _FROM_NUMPY[np_dtype]
    if np_dtype.newbyteorder() in _FROM_NUMPY:
        raise ValueError(
            "given numpy array has byte order different from the native byte order. Conversion between byte orders "
            "is currently not supported; convert it with array.astype(array.dtype.newbyteorder('='))"
        )
    names = ", ".join(t.name for t in reversed(ALL[1:]))
    raise TypeError(
        f"can't convert np.ndarray of type numpy.{np_dtype.type.__name__}. "
        f"The only supported types are: {names}, and bool."
    )


# -- promotion ---------------------------------------------------------------------------------------------------------

_WIDE_UNSIGNED = frozenset({uint16, uint32, uint64})


def _join(a: dtype, b: dtype) -> dtype | None:
    """The smallest type that PyTorch lets hold both, or None where it refuses."""
    low, high = sorted((a, b), key=lambda t: (t.category, t.itemsize))
    if a is b:
        return a
    if not _WIDE_UNSIGNED.isdisjoint((a, b)):
        return high if high.is_floating_point else None  # PyTorch promotes these three with floating types only
    if high.is_complex:
        return complex128 if float64 in (low, low.to_real(), high.to_real()) else complex64
    if {a, b} == {float16, bfloat16}:
        return float32  # neither holds the other's range and precision
    if {a, b} == {uint8, int8}:
        return int16
    return high


_PROMOTED = {(a, b): _join(a, b) for a in ALL for b in ALL}


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest type that holds the values of both, e.g. float32 for int64 and float32."""
    promoted = _PROMOTED[type1, type2]
    if promoted is None:
        raise RuntimeError(
            "Promotion for uint16, uint32, uint64 types is not supported, attempted to promote "
            f"{type1._word} and {type2._word}"
        )
    return promoted


def can_cast(from_: dtype, to: dtype) -> builtins.bool:
    """Whether promotion's rules allow the conversion: never to a lower category, as from floating to integer."""
    return from_.category <= to.category


def result_dtype(entries: Iterable[tuple[dtype, str]]) -> dtype:
    """The type of a result whose operands are `(dtype, kind)`, `kind` being "tensor", "zero-dim" or "scalar".

    Tensors with dimensions decide, unless a zero-dim tensor is of a higher category, or a Python number of a higher
    one still: int64 tensor + 0.5 is of the default dtype, float32 tensor + zero-dim float64 stays float32.
    """
    found: dict[str, dtype] = {}
    for entry, kind in entries:
        if kind == "scalar" and entry.category >= FLOATING:
            entry = default_complex() if entry.is_complex else _default
        found[kind] = promote_types(found[kind], entry) if kind in found else entry
    if not found:
        raise RuntimeError("result_dtype: expected at least one operand, got none")
    result = found.get("scalar")
    for kind in ("zero-dim", "tensor"):
        result = _outranked(found.get(kind), result)
    assert result is not None
    return result


def _outranked(higher: dtype | None, lower: dtype | None) -> dtype | None:
    """The type of `higher`, unless `lower` is of a category that `higher` cannot hold."""
    if higher is None or lower is None:
        return higher or lower
    if higher.category >= lower.category:
        return higher
    if higher.is_floating_point:
        return higher.to_complex()  # a complex operand takes over the precision of the real one
    # Not `promote_types` for these either: it refuses uint16 with complex64, but a complex operand simply wins here.
    return lower if lower.category >= FLOATING else promote_types(higher, lower)


# -- the default type --------------------------------------------------------------------------------------------------

_default = float32


def get_default_dtype() -> dtype:
    """The floating type of what is made from Python floats; float32 unless `set_default_dtype` changed it."""
    return _default


def set_default_dtype(d: dtype) -> None:
    """Make `d`, a floating type, the type of what is made from Python floats."""
    global _default
    if not isinstance(d, dtype):
        raise TypeError("invalid dtype object: only floating-point types are supported as the default type")
    if not d.is_floating_point:
        raise TypeError(f"only floating-point types are supported as the default type, got {d}")
    _default = d


def default_complex() -> dtype:
    """The complex type of what is made from Python complex numbers."""
    return _COMPLEX[_default]


def of_scalar(value: Any) -> dtype:
    """The type of a tensor made from one Python number."""
    if isinstance(value, (builtins.bool, np.bool_)):
        return bool
    if isinstance(value, (builtins.int, np.integer)):
        return int64
    if isinstance(value, (builtins.float, np.floating)):
        return _default
    if isinstance(value, (complex, np.complexfloating)):
        return default_complex()
    raise TypeError(f"expected a bool, int, float or complex number, got {type(value).__name__}")


# -- limits ------------------------------------------------------------------------------------------------------------


class _Limits:
    """What `finfo` and `iinfo` share: one type, compared by it, printed with every limit."""

    __slots__ = ("_type",)
    _shown: tuple[str, ...] = ()

    def __init__(self, type: dtype) -> None:
        self._type = type

    @property
    def dtype(self) -> str:
        return self._type.name

    @property
    def bits(self) -> builtins.int:
        return 8 * self._type.itemsize

    def __eq__(self, other: object) -> builtins.bool:
        return type(other) is type(self) and other._type is self._type

    def __hash__(self) -> builtins.int:
        return hash((type(self), self._type))

    def __repr__(self) -> str:
        limits = "".join(f"{name}={getattr(self, name):g}, " for name in self._shown)
        return f"{type(self).__name__}({limits}dtype={self.dtype})"


def _check_type(owner: str, type: object) -> None:
    if not isinstance(type, dtype):
        raise TypeError(f"{owner}(): argument 'type' (position 1) must be torch.dtype, not {type.__class__.__name__}")


# name -> bits of the fraction, largest exponent, decimal digits that survive a round trip through text
_FLOAT_FORMATS = {"float16": (10, 15, 3), "bfloat16": (7, 127, 2), "float32": (23, 127, 6), "float64": (52, 1023, 15)}


class finfo(_Limits):
    """The limits of a floating type; of the parts of a complex one; of the default dtype if none is given."""

    __slots__ = ("eps", "max", "min", "resolution", "smallest_normal", "tiny")
    _shown = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")

    def __init__(self, type: dtype | None = None) -> None:
        type = _default if type is None else type
        _check_type("finfo", type)
        if type.category < FLOATING:
            raise TypeError(
                f"torch.finfo() requires a floating point input type, got {type}. "
                "Use torch.iinfo to handle 'torch.finfo'"
            )
        super().__init__(type.to_real())
        fraction, exponent, digits = _FLOAT_FORMATS[self.dtype]
        self.eps = 2.0**-fraction
        self.max = (2.0 - self.eps) * 2.0**exponent
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0 ** (1 - exponent)
        self.resolution = builtins.float(f"1e-{digits}")


class iinfo(_Limits):
    """The limits of an integer type."""

    __slots__ = ("max", "min")
    _shown = ("min", "max")

    def __init__(self, type: dtype) -> None:
        _check_type("iinfo", type)
        if type.category >= FLOATING:
            raise TypeError(
                f"torch.iinfo() requires an integer input type, got {type}. Use torch.finfo to handle 'torch.iinfo'"
            )
        if type is bool:
            raise TypeError("torch.bool is not supported by torch.iinfo")
        super().__init__(type)
        unsigned = 1 << self.bits
        self.min, self.max = (-unsigned // 2, unsigned // 2 - 1) if type.is_signed else (0, unsigned - 1)
