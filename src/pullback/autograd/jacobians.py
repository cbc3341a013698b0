"""A function at a point as one from real numbers to real numbers, and its derivatives by three ways, for ``gradcheck``.

Complex numbers count as pairs of real ones: a step along the imaginary axis is a direction like any other, and a cotangent
``v`` of ``y`` stands for ``Re conj(v) y``. With that, PyTorch's gradients are exactly the transposed Jacobian's products,
and nothing here asks which tensors are complex except where vectors are cut up. Inputs and outputs that cannot be
differentiated are left out.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from ..func import jvp, vmap
from ..tape.promotion import dtype_of
from ..tape.value import Tensor, wrap
from .functional import derivative, filled

PROJECTIONS = 3


class Problem:
    """``func(*args)``, recorded once; ``inputs`` are the arguments that require grad, ``outputs`` the results that do."""

    def __init__(self, func: Callable, args: tuple, eps: float, atol: float = 0.0, rtol: float = 0.0) -> None:
        self.func, self.args, self.eps, self.atol, self.rtol = func, args, eps, atol, rtol
        self.places = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.requires_grad]  # type: ignore[attr-defined]
        self.inputs = tuple([args[i] for i in self.places])
        found: Any = outputs_of(func(*args))
        self.kept = [i for i, out in enumerate(found) if out.requires_grad]
        if not self.kept:  # then nothing may depend on the inputs
            self.kept = [i for i, out in enumerate(found) if dtype_of(out._data).category >= 2]
        self.outputs = tuple([found[i] for i in self.kept])

    def __call__(self, *inputs: Any) -> tuple:
        """The outputs as a function of the inputs alone."""
        args = list(self.args)
        for place, x in zip(self.places, inputs, strict=True):
            args[place] = x
        found = outputs_of(self.func(*args))
        return tuple([found[i] for i in self.kept])

    def allowed(self, numerical: Any) -> Any:
        """How far from a numerical value an analytical one may be."""
        return self.atol + self.rtol * np.abs(numerical)

    def close(self, a: Any, b: Any) -> Any:
        """Where numbers are as near each other as they must be."""
        return np.isclose(a, b, self.rtol, self.atol)

    @cached_property
    def sizes(self) -> tuple[int, int]:
        """How many real numbers go in and come out."""
        return reals(self.inputs).size, reals(self.outputs).size

    def displaced(self, direction: np.ndarray, step: float) -> np.ndarray:
        """The outputs a step along a direction away.

        The step is made in the inputs' own memory, so that it reaches a function that has them from elsewhere, such as
        a module its parameters.
        """
        before = [x._data.copy() for x in self.inputs]
        try:
            for x, d in zip(self.inputs, cut(direction, self.inputs), strict=True):
                x._data[...] = x._data + step * d
            return reals(self(*self.inputs))
        finally:
            for x, original in zip(self.inputs, before, strict=True):
                x._data[...] = original

    def difference(self, direction: np.ndarray) -> np.ndarray:
        """The derivative along a direction, by a central difference."""
        return (self.displaced(direction, self.eps) - self.displaced(direction, -self.eps)) / (2 * self.eps)

    def pull(self, cotangent: np.ndarray) -> np.ndarray:
        """The cotangent pulled back, by the recorded graph."""
        return reals(filled(self.gradients(tensors(cotangent, self.outputs)), self.inputs))

    def gradients(self, cotangents: tuple, batched: bool = False) -> tuple:
        return derivative(self.outputs, self.inputs, cotangents, False, batched)

    def push(self, direction: np.ndarray) -> np.ndarray:
        """The direction pushed forward, by dual numbers."""
        return reals(self.tangents(*tensors(direction, self.inputs)))

    def tangents(self, *directions: Tensor) -> tuple:
        return jvp(self, tuple([x.detach() for x in self.inputs]), directions)[1]

    def push_batch(self, directions: np.ndarray) -> list[np.ndarray]:
        """Several directions pushed forward at once, by ``vmap``."""
        rows = [tensors(d, self.inputs) for d in directions]
        found = vmap(self.tangents)(*[wrap(np.stack([t._data for t in column])) for column in zip(*rows, strict=True)])
        return [reals([f[i] for f in found]) for i in range(len(directions))]

    def pull_batch(self, cotangents: np.ndarray) -> list[np.ndarray]:
        """Several cotangents pulled back at once, by a batched pass."""
        rows = [tensors(c, self.outputs) for c in cotangents]
        stacked = tuple([wrap(np.stack([t._data for t in column])) for column in zip(*rows, strict=True)])
        found = self.gradients(stacked, batched=True)
        return [
            reals(filled(tuple([None if g is None else g[i] for g in found]), self.inputs))
            for i in range(len(cotangents))
        ]

    @cached_property
    def projections(self) -> list[tuple]:
        """Random directions u and cotangents v, the same each time, with the derivative ``v · J u`` by differences."""
        rng = np.random.default_rng(0)
        pairs = [[rng.standard_normal(n) for n in self.sizes] for _ in range(PROJECTIONS)]
        return [(u, v, v @ self.difference(u)) for u, v in pairs]

    @cached_property
    def numerical(self) -> np.ndarray:
        """The whole Jacobian by differences; a row for each number that goes in, a column for each that comes out."""
        return stacked([self.difference(e) for e in units(self.sizes[0])], self.sizes)

    def by_reverse(self) -> np.ndarray:
        """The whole Jacobian by reverse mode, of the form of :attr:`numerical`."""
        return stacked([self.pull(e) for e in units(self.sizes[1])], self.sizes[::-1]).T

    def by_forward(self) -> np.ndarray:
        """The whole Jacobian by forward mode."""
        return stacked([self.push(e) for e in units(self.sizes[0])], self.sizes)

    def blocks(self, jacobian: np.ndarray) -> Iterator[tuple]:
        """The Jacobian of each output with respect to each input: ``(output number, part, input number, matrix)``.

        A complex output gives two blocks, of its real and of its imaginary part; the rows of a complex input are joined
        to complex numbers, as its gradients are.
        """
        column = 0
        for i, out in enumerate(self.outputs):
            parts = ("real", "imaginary") if is_complex(out) else ("",)
            width, row = out.numel() * len(parts), 0
            for nr, part in enumerate(parts):
                row = 0
                for j, x in enumerate(self.inputs):
                    height = x.numel() * (1 + is_complex(x))
                    block = jacobian[row : row + height, column + nr : column + width : len(parts)]
                    yield i, part, j, block[::2] + 1j * block[1::2] if is_complex(x) else block
                    row += height
            column += width


def outputs_of(found: Any) -> tuple:
    """What a function returned, as a tuple of tensors."""
    each = tuple(found) if isinstance(found, (tuple, list)) else (found,)
    for i, out in enumerate(each):
        if not isinstance(out, Tensor):
            raise TypeError(
                f"gradcheck: the function must return a tensor or a sequence of tensors, but output {i} is of type "
                f"{type(out).__name__}"
            )
    return each


def is_complex(tensor: Any) -> bool:
    return tensor._data.dtype.kind == "c"


def reals(tensors: Any) -> np.ndarray:
    """All the real numbers of tensors, in order, in one new vector."""
    parts = [np.empty(0)]
    for tensor in tensors:
        wide = np.complex128 if is_complex(tensor) else np.float64
        parts.append(np.array(tensor.detach()._data, wide, order="C").reshape(-1).view(np.float64))
    return np.concatenate(parts)


def cut(vector: np.ndarray, like: tuple) -> list[np.ndarray]:
    """A vector of real numbers as arrays of the tensors' shapes: the inverse of :func:`reals`."""
    arrays, start = [], 0
    for tensor in like:
        stop = start + tensor.numel() * (1 + is_complex(tensor))
        part = vector[start:stop].view(np.complex128) if is_complex(tensor) else vector[start:stop]
        arrays.append(part.reshape(tuple(tensor.shape)))
        start = stop
    return arrays


def tensors(vector: np.ndarray, like: tuple) -> tuple:
    """As :func:`cut`, tensors of the dtypes of ``like``."""
    return tuple([wrap(a.astype(t._data.dtype)) for a, t in zip(cut(vector, like), like, strict=True)])


def units(n: int) -> Iterator[np.ndarray]:
    """The unit vectors, one at a time: all together would take more memory than the Jacobian."""
    for i in range(n):
        unit = np.zeros(n)
        unit[i] = 1
        yield unit


def stacked(rows: list, shape: tuple[int, int]) -> np.ndarray:
    return np.array(rows).reshape(shape)
