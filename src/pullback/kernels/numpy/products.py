"""Products of matrices and vectors, by BLAS where the dtype has it.

float16 and bfloat16 are multiplied in float32, and the result rounded once. Integers are multiplied in their own dtype.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from math import prod
from typing import Any

import numpy as np

from .registry import KERNELS, kernel


def is_half(dtype: np.dtype) -> bool:
    """Whether a dtype is float16 or bfloat16."""
    return dtype.itemsize == 2 and dtype.kind not in "iu"


def in_float32(product: Callable) -> Callable:
    """A product whose two first operands are of float32 where they are given in half precision."""

    @wraps(product)
    def widened(first: np.ndarray, second: np.ndarray, *rest: Any, **options: Any) -> Any:
        dtype = first.dtype
        if dtype.itemsize != 2 or not is_half(dtype):
            return product(first, second, *rest, **options)
        return np.asarray(product(first.astype(np.float32), second.astype(np.float32), *rest, **options)).astype(dtype)

    return widened


@kernel
@in_float32
def mm(input: np.ndarray, mat2: np.ndarray) -> np.ndarray:
    return input.dot(mat2)  # 0.35 µs for 3×3, where the @ operator takes 0.9


KERNELS["mv"] = KERNELS["dot"] = mm


@kernel
@in_float32
def bmm(input: np.ndarray, mat2: np.ndarray) -> np.ndarray:
    return np.matmul(input, mat2)


@kernel
@in_float32
def matmul(input: np.ndarray, other: np.ndarray) -> np.ndarray:
    if input.ndim > 2 > other.ndim - 1 and input.flags.c_contiguous:
        *rows, columns = input.shape  # one product of matrices, however many dims the left one has
        return input.reshape(prod(rows), columns).dot(other).reshape((*rows, *other.shape[1:]))
    return np.matmul(input, other)


KERNELS["matmul_batch"] = matmul


@kernel
@in_float32
def vdot(input: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.vdot(input, other) if input.dtype.kind == "c" else input.dot(other)


@kernel
def linear(input: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    dtype = input.dtype
    if dtype.itemsize == 2 and is_half(dtype):
        wide = [None if x is None else x.astype(np.float32) for x in (input, weight, bias)]
        return linear(*wide).astype(dtype)
    if input.ndim == 2:
        result = input.dot(weight.T)
    else:
        *rows, columns = input.shape
        result = input.reshape((prod(rows), columns)).dot(weight.T).reshape((*rows, weight.shape[0]))
    if bias is not None:
        result += bias
    return result


for form in ("mm", "rows", "mm_rows", "mm_row"):
    KERNELS[f"linear_{form}"] = linear


@kernel
@in_float32
def linalg_cross(input: np.ndarray, other: np.ndarray, dim: int = -1) -> np.ndarray:
    a, b = np.moveaxis(input, dim, 0), np.moveaxis(other, dim, 0)
    result = np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])
    return np.moveaxis(result, 0, dim)


KERNELS["cross"] = linalg_cross


def added(product: np.ndarray, input: np.ndarray, beta: Any, alpha: Any) -> np.ndarray:
    """``beta * input + alpha * product``, into the product."""
    if alpha != 1:
        product *= product.dtype.type(alpha)
    if beta != 0:
        product += input if beta == 1 else input * input.dtype.type(beta)
    return product


def added_to(input: np.ndarray, product: Callable, first: np.ndarray, second: np.ndarray, beta: Any, alpha: Any) -> Any:
    """``beta * input + alpha * product(first, second)``, rounded once where it is of half precision."""
    dtype = input.dtype
    if not is_half(dtype):
        return added(product(first, second), input, beta, alpha)
    wide = product(first.astype(np.float32), second.astype(np.float32))
    return added(wide, input.astype(np.float32), beta, alpha).astype(dtype)


@kernel
def addmm(input: np.ndarray, mat1: np.ndarray, mat2: np.ndarray, beta: Any = 1, alpha: Any = 1) -> np.ndarray:
    return added_to(input, np.dot, mat1, mat2, beta, alpha)


@kernel
def addmv(input: np.ndarray, mat: np.ndarray, vec: np.ndarray, beta: Any = 1, alpha: Any = 1) -> np.ndarray:
    return added_to(input, np.dot, mat, vec, beta, alpha)


@kernel
def addr(input: np.ndarray, vec1: np.ndarray, vec2: np.ndarray, beta: Any = 1, alpha: Any = 1) -> np.ndarray:
    if input.dtype.kind == "b":
        product = np.logical_and.outer(vec1, vec2) & bool(alpha)
        return product | input if beta else product
    return added_to(input, np.multiply.outer, vec1, vec2, beta, alpha)


@kernel
def baddbmm(input: np.ndarray, batch1: np.ndarray, batch2: np.ndarray, beta: Any = 1, alpha: Any = 1) -> np.ndarray:
    return added_to(input, np.matmul, batch1, batch2, beta, alpha)


def sum_of_products(batch1: np.ndarray, batch2: np.ndarray) -> np.ndarray:
    """The sum of a batch of products, as one product of matrices that hold the batch side by side."""
    return batch1.transpose(1, 0, 2).reshape(batch1.shape[1], -1).dot(batch2.reshape(-1, batch2.shape[2]))


@kernel
def addbmm(input: np.ndarray, batch1: np.ndarray, batch2: np.ndarray, beta: Any = 1, alpha: Any = 1) -> np.ndarray:
    return added_to(input, sum_of_products, batch1, batch2, beta, alpha)


# Contractions.


@lru_cache(maxsize=1024)
def layout(equation: str) -> tuple:
    """How a contraction is laid out as products of matrices.

    Returns the permutations of the operands to (batch, left, summed) and (batch, summed, right), how many dims are in
    batch, left, summed and right, the permutation of (batch, left, right) to the output, and whether the operands are
    to be swapped first, so that the output needs fewer moves.
    """
    inputs, output = equation.split("->")
    first, second = inputs.split(",")
    swapped = next((c in second for c in output if (c in first) != (c in second)), False)
    if swapped:
        first, second = second, first
    batch = [c for c in output if c in first and c in second]
    left = [c for c in output if c in first and c not in second]
    right = [c for c in output if c in second and c not in first]
    summed = [c for c in second if c in first and c not in output]
    to_left = tuple(first.index(c) for c in batch + left + summed)
    to_right = tuple(second.index(c) for c in batch + summed + right)
    order = batch + left + right
    to_output = tuple(order.index(c) for c in output)
    return to_left, to_right, (len(batch), len(left), len(summed), len(right)), to_output, swapped


@kernel
@in_float32
def contract(input: np.ndarray, other: np.ndarray, equation: str) -> np.ndarray:
    to_left, to_right, counts, to_output, swapped = layout(equation)
    if swapped:
        input, other = other, input
    left, right = input.transpose(to_left), other.transpose(to_right)
    result = contracted(left, right, *counts)
    return result.transpose(to_output)


KERNELS["products"] = contract


def contracted(left: np.ndarray, right: np.ndarray, b: int, m: int, s: int, n: int) -> np.ndarray:
    """The contraction of (batch, left, summed) with (batch, summed, right): counts of dims of each kind are given."""
    batch, rows, columns = left.shape[:b], left.shape[b : b + m], right.shape[b + s :]
    if not s:
        return left.reshape((*batch, *rows, *[1] * n)) * right.reshape((*batch, *[1] * m, *columns))
    depth = prod(right.shape[b : b + s])
    if not b:
        result = left.reshape(prod(rows), depth).dot(right.reshape(depth, prod(columns)))
    else:
        result = np.matmul(left.reshape((*batch, prod(rows), depth)), right.reshape((*batch, depth, prod(columns))))
    return result.reshape((*batch, *rows, *columns))
