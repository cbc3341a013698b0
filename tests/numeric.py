"""Derivatives by finite differences, the truth that owes nothing to the package, and comparison of what two sides give.

Functions here take and give lists of NumPy arrays. Complex numbers count as pairs of real ones, so that a step along
the imaginary axis is a direction like any other, and the inner product of two lists is a real number.
"""

import numpy as np

STEP = 1e-6


def inner(xs, ys):
    """The real inner product of two lists of arrays, Re Σ conj(x)·y."""
    return sum(float(np.sum(np.conj(x) * y).real) for x, y in zip(xs, ys, strict=True))


def moved(arrays, direction, step):
    return [a + step * d for a, d in zip(arrays, direction, strict=True)]


def difference(f, arrays, direction, step=STEP):
    """The derivative of ``f`` along a direction, by a central difference; a list like ``f``'s result."""
    ahead, behind = f(moved(arrays, direction, step)), f(moved(arrays, direction, -step))
    return [(a - b) / (2 * step) for a, b in zip(ahead, behind, strict=True)]


def has_kink(f, arrays, direction, step=STEP):
    """Whether ``f`` bends within a step of here, at a tie or a kink, where its derivative is a matter of convention."""
    triples = zip(*(f(moved(arrays, direction, h)) for h in (-step, 0.0, step)), strict=True)
    bends = [
        float(np.abs(a - 2 * b + c).max(initial=0.0)) / (1 + float(np.abs(b).max(initial=0.0))) for a, b, c in triples
    ]
    return not max(bends, default=0.0) < 1e-8


def noise(rng, like):
    """A random array of the shape and dtype of ``like``, never of ones."""
    values = rng.standard_normal(like.shape)
    if np.iscomplexobj(like):
        values = values + 1j * rng.standard_normal(like.shape)
    return np.asarray(values, dtype=like.dtype)


def basis(arrays):
    """Every direction that changes one real number of one array."""
    for position, array in enumerate(arrays):
        for unit in (1, 1j) if np.iscomplexobj(array) else (1,):
            for index in np.ndindex(array.shape):
                direction = [np.zeros_like(a) for a in arrays]
                direction[position][index] = unit
                yield direction


def size(arrays):
    return sum(a.size for a in arrays)


def array(tensor):
    """What a tensor of either library holds, as a NumPy array (bfloat16 as float32)."""
    tensor = tensor.detach()
    if "bfloat16" in str(tensor.dtype):
        tensor = tensor.float()
    if type(tensor).__module__ == "torch":  # whose conjugates, negatives and zeros are promises until one insists
        return np.asarray(tensor.numpy(force=True))
    return np.asarray(tensor.numpy())


# How far results may be apart in relative terms, by dtype: a few units in the last place of what computes them.
RTOL = {"float16": 4e-3, "bfloat16": 3e-2, "float32": 4e-5, "complex64": 4e-5, "float64": 1e-9, "complex128": 1e-9}


def agree(got, want, what, rtol=1e-9, atol=None):
    """Raise an AssertionError of one line, beginning with ``what``, unless the arrays agree in shape and value."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, expected {want.shape}"
    if got.dtype.kind in "biu" and want.dtype.kind in "biu":
        assert np.array_equal(got, want), f"{what}: {brief(got)}, expected {brief(want)}"
        return
    atol = rtol if atol is None else atol
    wide = np.result_type(got.dtype, want.dtype, np.float64)
    with np.errstate(all="ignore"):
        close = np.isclose(got.astype(wide), want.astype(wide), rtol=rtol, atol=atol, equal_nan=True)
    if not close.all():
        raise AssertionError(f"{what}: {brief(got[~close])}, expected {brief(want[~close])}")


def brief(values, most=4):
    flat = np.asarray(values).reshape(-1)
    shown = ", ".join(f"{v:.7g}" if flat.dtype.kind in "fc" else str(v) for v in flat[:most])
    return f"[{shown}{', …' if flat.size > most else ''}]"
