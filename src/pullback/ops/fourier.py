"""Discrete Fourier transforms: the three that compute, and the functions of ``torch.fft``, which choose among them.

The three are linear, and their rules are transforms again. ``dim`` is a tuple of non-negative ints, the last of which is the
one that is real on one side; ``normalization`` is PyTorch's code for what the sums are divided by. What users call brings its
operand to the right dtype and size, as steps that are recorded, and ends in one of the three.
"""

from ..dtypes import get_default_dtype
from .arranging import roll
from .batching import shifted
from .checks import COMPLEX, FLOATING
from .checks import dim as one_dim
from .checks import dims as several
from .complex_numbers import conj
from .padding import constant_pad_nd
from .shape import integer, sizes
from .steps import INTERNAL, perform
from .table import LINEAR, TABLE, op, overload

NOT, BY_ROOT, BY_COUNT = range(3)  # what a sum is divided by: nothing, the root of the number of its terms, the number

# -- the transforms ----------------------------------------------------------------------------------------------------


def no_halves(name, dtype):
    if dtype.category == FLOATING and dtype.itemsize < 4:
        raise RuntimeError(f"{name}: Unsupported dtype {dtype._word}; use float32 or float64")


def need_dtype(input, category, words):
    no_halves("fft", input.dtype)
    if input.dtype.category != category:
        raise RuntimeError(f"Only supports {words} dtypes, but found: {input.dtype._word}")


def prepare_complex(input, dim, normalization, forward):
    need_dtype(input, COMPLEX, "complex")
    return input, several("_fft_c2c", dim, input.ndim), normalization, forward


complex_transform = op(
    "_fft_c2c(input, dim, normalization, forward)",
    "The Fourier transform of complex numbers along dims, or the inverse one.",
    vjp={
        "input": lambda xp, grad, dim, normalization, forward: xp._fft_c2c(grad, dim, normalization, not forward),
    },
    jvp=LINEAR,
    operands=("input",),
    batch=shifted("dim"),
    method=False,
    prepare=prepare_complex,
    node="FftC2CBackward0",
    samples=lambda t: [
        ((t.complex(3, 4), (1,), NOT, True), {}),
        ((t.complex(3, 4), (0, 1), BY_ROOT, False), {}),
        ((t.complex(2, 3, 5), (2, 0), BY_COUNT, True), {}),
        ((t.complex(2, 3), (-2,), BY_COUNT, False), {}),
        ((t.complex(2), (), NOT, True), {}),
    ],
    errors=lambda t: [((t(3), (0,), 0, True), {}, RuntimeError)],
)


def prepare_real(input, dim, normalization, onesided):
    need_dtype(input, FLOATING, "floating-point")
    return input, several("_fft_r2c", dim, input.ndim), normalization, onesided


def pull_real(xp, grad, dim, normalization, onesided, input_shape):
    if not onesided:
        return xp.real(xp._fft_c2c(grad, dim, normalization, False))
    size = input_shape[dim[-1]]
    return xp._fft_c2r(xp.weigh_mirrored(grad, 0.5, dim[-1], size), dim, normalization, size)


real_transform = op(
    "_fft_r2c(input, dim, normalization, onesided)",
    "The Fourier transform of real numbers along dims; ``onesided``, without the frequencies along the last of them that mirror "
    "others.",
    vjp={"input": pull_real},
    jvp=LINEAR,
    operands=("input",),
    batch=shifted("dim"),
    real=True,
    method=False,
    prepare=prepare_real,
    node="FftR2CBackward0",
    samples=lambda t: [
        ((t(3, 4), (1,), NOT, True), {}),
        ((t(3, 5), (1,), BY_ROOT, True), {}),
        ((t(3, 4), (1, 0), BY_COUNT, True), {}),
        ((t(2, 3, 4), (0, -1), BY_COUNT, False), {}),
        ((t(2, 1), (1,), NOT, True), {}),
    ],
    errors=lambda t: [((t.complex(3), (0,), 0, True), {}, RuntimeError)],
)


def prepare_half(input, dim, normalization, last_dim_size):
    need_dtype(input, COMPLEX, "complex")
    dim = several("_fft_c2r", dim, input.ndim)
    if last_dim_size < 1 or input.shape[dim[-1]] != last_dim_size // 2 + 1:
        raise RuntimeError(
            f"_fft_c2r: a real result of size {last_dim_size} is made of {last_dim_size // 2 + 1} frequencies, but dimension "
            f"{dim[-1]} of input {list(input.shape)} has {input.shape[dim[-1]]}"
        )
    return input, dim, normalization, last_dim_size


half_transform = op(
    "_fft_c2r(input, dim, normalization, last_dim_size)",
    "The inverse Fourier transform along dims whose result is real, from half of the frequencies along the last of them.",
    vjp={
        "input": lambda xp, grad, dim, normalization, last_dim_size: xp.weigh_mirrored(
            xp._fft_r2c(grad, dim, normalization, True), 2, dim[-1], last_dim_size
        )
    },
    jvp=LINEAR,
    operands=("input",),
    batch=shifted("dim"),
    method=False,
    prepare=prepare_half,
    node="FftC2RBackward0",
    samples=lambda t: [
        ((t.complex(2, 3), (1,), NOT, 4), {}),
        ((t.complex(2, 3), (1,), BY_COUNT, 5), {}),
        ((t.complex(3, 4), (1, 0), BY_ROOT, 5), {}),
        ((t.complex(3, 1), (1,), NOT, 1), {}),
    ],
    errors=lambda t: [((t(3), (0,), 0, 4), {}, RuntimeError), ((t.complex(3), (0,), 0, 9), {}, RuntimeError)],
)
weigh_mirrored = op(
    "weigh_mirrored(input, factor, dim, size)",
    "Half of a real signal's spectrum, of ``size`` frequencies along a dimension, with those that have a mirror image "
    "multiplied by a factor: all but the first and, for an even size, the last.",
    vjp={"input": lambda xp, grad, factor, dim, size: xp.weigh_mirrored(grad, factor, dim, size)},
    jvp=LINEAR,
    operands=("input",),
    batch=shifted("dim"),
    samples=lambda t: [((t(2, 3), 2, 1, 4), {}), ((t(3, 2), 0.5, 0, 5), {}), ((t(1), 2, 0, 1), {})],
    **INTERNAL,
)

# -- operands ----------------------------------------------------------------------------------------------------------


def suited(name, input, kind):
    """The operand in the dtype to compute in: complex or, where ``kind`` is FLOATING, real, as it then has to be."""
    dtype = input.dtype
    if dtype.is_complex and kind == FLOATING:
        raise RuntimeError(f"{name} expects a real input tensor, but got {dtype._word}")
    no_halves(name, dtype)
    if dtype.category < FLOATING:
        dtype = get_default_dtype()
    if kind == COMPLEX:
        dtype = dtype.to_complex()
    return input if dtype is input.dtype else input.to(dtype)


def points(name, n):
    """A size, which must be positive."""
    if n < 1:
        raise RuntimeError(f"{name}: Invalid number of data points ({n}) specified")
    return n


def one(name, input, n, dim):
    """The dims and sizes of a transform along one dim; a size that was not given is None."""
    if not input.ndim:
        raise IndexError(f"{name}: Dimension specified as {dim} but tensor has no dimensions")
    return (one_dim(name, dim, input.ndim),), (None if n is None else points(name, integer(name, "n", n)),)


def many(name, input, s, dim):
    """The dims and sizes of a transform along several dims; a size that was not given, or as -1, is None."""
    if s is not None:
        s = sizes(name, "s", (s,) if hasattr(s, "__index__") else s)
    if dim is None:
        dim = trailing_dims(name, input, s)
    if not input.ndim and dim != ():
        raise IndexError(f"{name}: Dimension specified as {dim} but tensor has no dimensions")
    dim = tuple([one_dim(name, d, input.ndim) for d in ((dim,) if hasattr(dim, "__index__") else dim)])
    if len(set(dim)) < len(dim):
        raise RuntimeError(f"{name}: FFT dims must be unique, but they are {dim}")
    if s is None:
        return dim, (None,) * len(dim)
    if len(s) != len(dim):
        raise RuntimeError(
            f"{name}: When given, dim and shape arguments must have the same length, but they are {dim} and {s}"
        )
    return dim, tuple([None if n == -1 else points(name, n) for n in s])


def trailing_dims(name, input, s):
    """The dims that sizes alone stand for: the last ones; all, if there are no sizes."""
    if s is None:
        return tuple(range(input.ndim))
    if len(s) > input.ndim:
        raise RuntimeError(f"{name}: Got shape with {len(s)} values but input tensor only has {input.ndim} dimensions.")
    return tuple(range(input.ndim - len(s), input.ndim))


def resized(name, input, dims, sizes):
    """The operand with what is too much along each dim cut off, and zeros put behind where it is too small."""
    pad = [0] * (2 * input.ndim)
    for d, n in zip(dims, sizes, strict=True):
        size = input.shape[d]
        missing = (size if n is None else n) - size
        if missing < 0:
            input = perform(TABLE["slice"], input, d, 0, n, 1)
        points(name, size + missing)
        pad[2 * (input.ndim - 1 - d) + 1] = max(missing, 0)
    return perform(constant_pad_nd, input, tuple(pad), 0) if any(pad) else input


def divisor(name, norm, forward):
    """PyTorch's code for a mode of normalization."""
    codes = {None: not forward, "backward": not forward, "forward": forward}
    if norm == "ortho":
        return BY_ROOT
    if norm not in codes:
        raise RuntimeError(f'{name}: Invalid normalization mode: "{norm}"; it is "forward", "backward" or "ortho"')
    return BY_COUNT if codes[norm] else NOT


# -- the functions -----------------------------------------------------------------------------------------------------


def choose_full(name, forward, place):
    """``fft`` and its kin, between complex numbers. Along one dim, what is real is transformed as such."""

    def choose(input, size, dim, norm):
        is_real = place is one and not input.dtype.is_complex
        input, code = suited(name, input, FLOATING if is_real else COMPLEX), divisor(name, norm, forward)
        dim, size = place(name, input, size, dim)
        input = resized(name, input, dim, size)
        if not is_real:
            return complex_transform, (input, dim, code, forward)
        found = real_transform, (input, dim, code, False)
        return found if forward else (conj, (perform(*found[:1], *found[1]),))

    return choose


def some_dim(name, dim):
    if not dim:
        raise RuntimeError(f"{name} must transform at least one axis")


def choose_real(name, forward, place):
    """``rfft`` and ``ihfft`` and their kin, from real numbers to half of the frequencies."""

    def choose(input, size, dim, norm):
        input, code = suited(name, input, FLOATING), divisor(name, norm, forward)
        dim, size = place(name, input, size, dim)
        some_dim(name, dim)
        input = resized(name, input, dim, size)
        if forward:
            return real_transform, (input, dim, code, True)
        half = perform(real_transform, input, dim[-1:], code, True)
        if len(dim) == 1:
            return conj, (half,)
        return complex_transform, (half.conj_physical(), dim[:-1], code, False)

    return choose


def choose_half(name, forward, place):
    """``irfft`` and ``hfft`` and their kin, from half of the frequencies to real numbers."""

    def choose(input, size, dim, norm):
        input, code = suited(name, input, COMPLEX), divisor(name, norm, forward)
        dim, size = place(name, input, size, dim)
        some_dim(name, dim)
        last = size[-1] or points(name, 2 * (input.shape[dim[-1]] - 1))
        input = resized(name, input, dim, (*size[:-1], last // 2 + 1))
        if not forward:
            return half_transform, (input, dim, code, last)
        others = perform(complex_transform, input, dim[:-1], code, True) if dim[1:] else input
        return half_transform, (others.conj(), dim[-1:], code, last)

    return choose


FORMS = {
    "": (one, "n=None, dim=-1", "one dim, cut off or filled with zeros to ``n`` elements before"),
    "2": (many, "s=None, dim=(-2, -1)", "two dims, cut off or filled with zeros to the sizes ``s`` before"),
    "n": (
        many,
        "s=None, dim=None",
        "several dims, by default all, cut off or filled with zeros to the sizes ``s`` before",
    ),
}
KINDS = {
    "fft": (choose_full, True, "The discrete Fourier transform"),
    "ifft": (choose_full, False, "The inverse discrete Fourier transform"),
    "rfft": (
        choose_real,
        True,
        "The discrete Fourier transform of real numbers, without the frequencies that mirror others,",
    ),
    "irfft": (choose_half, False, "The inverse of ``rfft``, a real signal,"),
    "hfft": (
        choose_half,
        True,
        "The Fourier transform, which is real, of the half of a signal that mirrors the other,",
    ),
    "ihfft": (choose_real, False, "The inverse of ``hfft``, half of a signal that mirrors the other,"),
}
for kind, (choose, forward, what) in KINDS.items():
    for suffix, (place, params, where) in FORMS.items():
        overload(
            f"fft_{kind}{suffix}(input, {params}, norm=None)",
            f"{what} along {where}. ``norm`` says which direction divides by the number of elements: ``backward``, ``forward`` or, by "
            "its root, both (``ortho``).",
            choose(f"{kind}{suffix}", forward, place),
            method=False,
            out=True,
            homes=(f"fft:{kind}{suffix}",),
        )


def choose_shift(half):
    """A choice of the roll that moves half of each dim, so many elements of it, to the other end."""

    def choose(input, dim):
        dims = range(input.ndim) if dim is None else (dim,) if hasattr(dim, "__index__") else dim
        dims = tuple([one_dim("fftshift", d, input.ndim) for d in dims])
        return roll, (input, tuple([half(input.shape[d]) for d in dims]), dims)

    return choose


for name, half, what in (
    ("fftshift", lambda size: size // 2, "The frequencies of ``fft`` put in order, with zero in the middle"),
    ("ifftshift", lambda size: (size + 1) // 2, "The frequencies as ``fft`` has them, undoing ``fftshift``"),
):
    overload(
        f"fft_{name}(input, dim=None)",
        f"{what}, along one dim, several, or all.",
        choose_shift(half),
        method=False,
        homes=(f"fft:{name}",),
    )
