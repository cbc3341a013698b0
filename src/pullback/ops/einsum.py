"""Sums over products with named indices: ``einsum``, and what is said in its terms: ``tensordot``, ``inner``.

A call becomes steps, as in PyTorch: diagonals and sums of one operand, then contractions of two at a time. The
contraction is one operation; its derivatives are contractions. How an equation is read, and in which order operands
are contracted, is decided once for an equation and shapes, and remembered.
"""

from functools import lru_cache
from math import prod

from .checks import dim as one_dim
from .products import dot, same_dtype
from .steps import INTERNAL, is_tensor, need_tensors, perform
from .table import BILINEAR, TABLE, op, overload

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ELLIPSIS = "."  # one character for "..." while an equation is read; its dims get the letters below
SPARE = "".join(chr(c) for c in range(0x3B1, 0x3B1 + 64))  # Greek and beyond: no equation contains them


# The contraction of two operands.


def pull_contracted(xp, grad, other, equation, position):
    """The gradient of one operand of a contraction is a contraction of the result's gradient with the other operand."""
    inputs, output = equation.split("->")
    letters = inputs.split(",")
    return xp.contract(grad, xp.conj(other), f"{output},{letters[1 - position]}->{letters[position]}")


def batch_contract(xp, op, args, batched, size):
    """A batch is one more index, of the operands that have it and of the result."""
    left, right, equation = args
    inputs, output = equation.split("->")
    letter = next(c for c in SPARE if c not in equation)
    first, second = inputs.split(",")
    first, second = (letter + first if batched[0] else first), (letter + second if batched[1] else second)
    return xp.contract(left, right, f"{first},{second}->{letter}{output}")


def prepare_contract(input, other, equation):
    same_dtype("einsum", input, other)
    return input, other, equation


def contraction_op(name, node, samples):
    """The contraction of two operands, under the name of node that PyTorch has for some of them."""
    return op(
        f"{name}(input, other, equation)",
        "The sum over products of two tensors that ``equation`` says, such as ``ij,jk->ik``. No index occurs twice in a "
        "tensor, and each occurs in two of the three.",
        vjp={
            "input": lambda xp, grad, other, equation: pull_contracted(xp, grad, other, equation, 0),
            "other": lambda xp, grad, input, equation: pull_contracted(xp, grad, input, equation, 1),
        },
        jvp=BILINEAR,
        operands=("input", "other"),
        batch=batch_contract,
        prepare=prepare_contract,
        node=node,
        samples=samples,
        **INTERNAL,
    )


contract = contraction_op(
    "contract",
    "ViewBackward0",
    lambda t: [
        ((t(2, 3), t(3, 4), "ij,jk->ik"), {}),
        ((t(2, 3), t(4, 3), "ij,kj->ki"), {}),
        ((t(2, 3, 2), t(2, 4, 2), "bij,bkj->kbi"), {}),
        ((t(2, 3), t(2, 3), "ij,ij->"), {}),
        ((t(2, 2), t(2, 3, 2), "ab,acb->c"), {}),
        ((t(0, 3), t(3, 4), "ij,jk->ik"), {}),
        ((t(2, 0), t(0, 3), "ij,jk->ki"), {}),
    ],
)
products = contraction_op(
    "products",
    "MulBackward0",
    lambda t: [((t(2, 3), t(3, 2), "ij,ji->ji"), {}), ((t(2), t(3), "i,j->ji"), {}), ((t(), t(3, 2), ",ij->ij"), {})],
)


def by_equation(equation):
    """The operation for a contraction: PyTorch multiplies element by element where nothing is summed."""
    inputs, output = equation.split("->")
    return products if set(inputs) <= {*output, ","} else contract


# Reading an equation.


def read_string(equation, ndims):
    """The indices of each operand and of the result (None where it is implicit), as strings with ``.`` for ``...``."""
    text = equation.replace(" ", "").replace("...", ELLIPSIS)
    inputs, arrow, output = text.partition("->")
    for place, character in enumerate(equation.replace("->", "  ").replace("...", "   ").replace(",", " ")):
        if character != " " and character not in LETTERS:
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {place} in the equation string {equation!r}, subscripts must be "
                "in [a-zA-Z]"
            )
    operands = inputs.split(",")
    if len(operands) != len(ndims):
        more = "more" if len(ndims) > len(operands) else "fewer"
        raise RuntimeError(
            f"einsum(): {more} operands were provided than specified in the equation: {equation!r} is for "
            f"{len(operands)}, got {len(ndims)}"
        )
    return operands, output if arrow else None


def read_sublist(indices):
    """A list of numbers below 52, or ``...``, as a string of letters."""
    for i in indices:
        if i is not Ellipsis and not (isinstance(i, int) and 0 <= i < len(LETTERS)):
            raise ValueError(
                f"einsum(): subscript in subscript list is not within the valid range [0, 52), nor ...: {i!r}"
            )
    return "".join(ELLIPSIS if i is Ellipsis else LETTERS[i] for i in indices)


def spell_out(operands, output, shapes):
    """Equal letters for equal dims, with the ellipsis spelled out, and the output explicit."""
    widths = [len(shape) - len(letters.replace(ELLIPSIS, "")) for letters, shape in zip(operands, shapes, strict=True)]
    for i, (letters, shape, width) in enumerate(zip(operands, shapes, widths, strict=True)):
        if letters.count(ELLIPSIS) > 1:
            raise RuntimeError(f"einsum(): found '...' for operand {i} for which an ellipsis was already found")
        if width < 0 or (width and ELLIPSIS not in letters):
            more = "more than the" if ELLIPSIS in letters else "the"
            hint = "" if ELLIPSIS in letters else " and no ellipsis was given"
            raise RuntimeError(
                f"einsum(): {more} number of subscripts in the equation ({len(letters.replace(ELLIPSIS, ''))}) does not "
                f"match the number of dimensions ({len(shape)}) for operand {i}{hint}"
            )
    widest = SPARE[: max((w for w, letters in zip(widths, operands, strict=True) if ELLIPSIS in letters), default=0)]
    spelled = [
        letters.replace(ELLIPSIS, widest[len(widest) - width :])
        for letters, width in zip(operands, widths, strict=True)
    ]
    every = "".join(operands)
    if output is None:
        output = ELLIPSIS + "".join(sorted(c for c in set(every) if c != ELLIPSIS and every.count(c) == 1))
    for c in output:
        if output.count(c) > 1:
            raise RuntimeError(f"einsum(): output subscript {c} appears more than once in the output")
        if c not in every and c != ELLIPSIS:
            raise RuntimeError(f"einsum(): output subscript {c} does not appear in the equation for any input operand")
    return spelled, output.replace(ELLIPSIS, widest)


def extents(operands, shapes):
    """The extent of each index; raises where operands differ in it, other than by 1, which broadcasts."""
    found = {}
    for i, (letters, shape) in enumerate(zip(operands, shapes, strict=True)):
        own = {}
        for letter, size in zip(letters, shape, strict=True):
            if own.setdefault(letter, size) != size:
                raise RuntimeError(
                    f"einsum(): subscript {letter} is repeated for operand {i} but the sizes don't match, "
                    f"{size} != {own[letter]}"
                )
            before = found.get(letter, 1)
            if size != 1 and before not in (1, size):
                raise RuntimeError(
                    f"einsum(): subscript {letter} has size {size} for operand {i} which does not broadcast with previously "
                    f"seen size {before}"
                )
            found[letter] = before if size == 1 else size
    return found


# Planning.


@lru_cache(maxsize=1024)
def plan(equation, shapes, sublists=False):
    """How to compute an equation: per operand, its first steps; and the contractions in their order.

    Returns ``(first steps of each operand, contractions, last permutation)``; a contraction is ``(i, j, steps of i,
    steps of j, equation)`` and takes the operands ``i`` and ``j`` out of the list, and appends its result.
    """
    operands, output = equation if sublists else read_string(equation, shapes)
    operands, output = spell_out(operands, output, shapes)
    full = extents(operands, shapes)
    first = [diagonals(letters) for letters in operands]
    live = ["".join(dict.fromkeys(letters)) for letters in operands]
    known = [dict(zip(letters, shape, strict=True)) for letters, shape in zip(operands, shapes, strict=True)]
    contractions = []
    while len(live) > 1:
        i, j = cheapest(live, full, output)
        needed = set(output).union(*[x for k, x in enumerate(live) if k not in (i, j)])
        left, left_steps = alone(live[i], live[j], needed, known[i], known[j])
        right, right_steps = alone(live[j], live[i], needed, known[j], known[i])
        result = "".join(c for c in dict.fromkeys(left + right) if c in needed)
        if len(live) == 2:
            result = "".join(c for c in output if c in result)
        sizes = {c: max(known[i].get(c, 1), known[j].get(c, 1), key=lambda n: n != 1) for c in result}
        contractions.append((i, j, left_steps, right_steps, f"{left},{right}->{result}"))
        live = [x for k, x in enumerate(live) if k not in (i, j)] + [result]
        known = [x for k, x in enumerate(known) if k not in (i, j)] + [sizes]
    summed = tuple(d for d, c in enumerate(live[0]) if c not in output)
    last = [c for c in live[0] if c in output]
    return first, contractions, summed, tuple(last.index(c) for c in output)


def diagonals(letters):
    """Pairs of dims to take the diagonal of, until no letter is repeated; the diagonal goes to the first's place."""
    pairs, rest = [], list(letters)
    for c in letters:
        while rest.count(c) > 1:
            i = rest.index(c)
            j = rest.index(c, i + 1)
            pairs.append((i, j))
            del rest[j]
    return pairs


def alone(letters, others, needed, sizes, other_sizes):
    """What is left of an operand's indices, and the steps to it: sums over those that it alone has, broadcast ones dropped."""
    shared = {c for c in letters if c in others and sizes[c] == other_sizes[c]}
    dropped = [c for c in letters if c in others and c not in shared and sizes[c] == 1]
    summed = [c for c in letters if c not in shared and c not in dropped and c not in needed]
    steps = (tuple(letters.index(c) for c in summed), tuple(letters.index(c) for c in dropped))
    return "".join(c for c in letters if c not in summed and c not in dropped), steps


def cheapest(live, full, output):
    """The two operands whose contraction costs least, the first of them if there are several."""
    pairs = [(i, j) for j in range(len(live)) for i in range(j)]
    return min(pairs, key=lambda pair: prod(full[c] for c in set(live[pair[0]] + live[pair[1]])))


# Calling.


def choose_einsum(operands):
    """The last step of a call of einsum, whose arguments come in one list; the others have been run."""
    equation, *operands = operands if isinstance(operands, list) else [operands]
    sublists = is_tensor(equation)
    if sublists:
        equation, operands = from_sublists([equation, *operands])
    elif len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = operands[0]
    if not isinstance(equation, (str, tuple)) or not operands:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one operand and its "
            "subscripts list"
        )
    for i, operand in enumerate(operands):
        if not is_tensor(operand):
            raise TypeError(f"einsum(): expected tensors as operands, but operand {i} is {type(operand).__name__}")
    shapes = tuple(tuple(x.shape) for x in operands)
    return follow(plan(equation, shapes, sublists), list(operands))


def from_sublists(given):
    """The form ``einsum(x, [0, 1], y, [1, 2], [0, 2])``."""
    output = read_sublist(given[-1]) if len(given) % 2 else None
    pairs = given[: len(given) // 2 * 2]
    return (tuple(read_sublist(s) for s in pairs[1::2]), output), list(pairs[::2])


def follow(steps, live):
    """Run a plan up to its last operation."""
    first, contractions, summed, order = steps
    if len(live) > 1:
        same_dtype("einsum", *live)
    for k, pairs in enumerate(first):
        for i, j in pairs:
            x = live[k].diagonal(0, i, j)
            live[k] = x.movedim(-1, i) if i != x.ndim - 1 else x
    for number, (i, j, left_steps, right_steps, equation) in enumerate(contractions, 1):
        left, right = reduce(live[i], *left_steps), reduce(live[j], *right_steps)
        if number == len(contractions):
            return by_equation(equation), (left, right, equation)
        result = perform(by_equation(equation), left, right, equation)
        live = [x for k, x in enumerate(live) if k not in (i, j)] + [result]
    if not summed:
        return TABLE["permute"], (live[0], order)
    if order == tuple(range(len(order))):
        return TABLE["sum"], (live[0], summed, False, None)
    return TABLE["permute"], (live[0].sum(summed), order)


def reduce(x, summed, dropped):
    """An operand without the dims that it alone has, which are summed, and those that broadcast, which are of size 1."""
    if dropped:
        x = x.squeeze(dropped)
        summed = tuple(d - sum(e < d for e in dropped) for d in summed)
    return x.sum(summed) if summed else x


overload(
    "einsum(operands)",
    "The sum over products of tensors that ``equation`` says in Einstein's notation: ``einsum('ij,jk->ik', x, y)`` is the "
    "product of matrices. Indices that are not in the output are summed over; without ``->``, the output has those that occur "
    "once, in alphabetical order. ``...`` stands for further dims, which broadcast. An index that a tensor has twice is its "
    "diagonal. Instead of the equation, each tensor may be followed by a list of numbers for its indices.",
    choose_einsum,
    method=False,
    star="operands",
)


# What einsum says otherwise.


def contraction(op_name, a, b, dims_a, dims_b):
    """The operation that sums products over dims of two tensors, paired in order."""
    letters_a = list(SPARE[: a.ndim])
    letters_b = list(SPARE[a.ndim : a.ndim + b.ndim])
    for m, n in zip(dims_a, dims_b, strict=True):
        letters_b[n] = letters_a[m]
    output = [c for c in letters_a if c not in letters_b] + [c for c in letters_b if c not in letters_a]
    equation = (("".join(letters_a), "".join(letters_b)), "".join(output))
    return follow(plan(equation, (tuple(a.shape), tuple(b.shape)), True), [a, b])


def choose_tensordot(a, b, dims):
    need_tensors("tensordot", a=a, b=b)
    dims_a, dims_b = contracted_dims(a, b, dims)
    if len(dims_a) != len(dims_b):
        raise RuntimeError(f"tensordot: both dimension lists should have same length, got {dims_a} and {dims_b}")
    dims_a = [one_dim("tensordot", d, a.ndim) for d in dims_a]
    dims_b = [one_dim("tensordot", d, b.ndim) for d in dims_b]
    for found in (dims_a, dims_b):
        if len(set(found)) < len(found):
            raise RuntimeError(f"tensordot: dim appears multiple times in the list of dims {found}")
    if a.dtype is not b.dtype:
        raise RuntimeError(f"tensordot: both inputs should have same dtype, got {a.dtype} and {b.dtype}")
    for m, n in zip(dims_a, dims_b, strict=True):
        if a.shape[m] != b.shape[n] and 1 not in (a.shape[m], b.shape[n]):
            raise RuntimeError(
                f"tensordot: contracted dimensions need to match, but first has size {a.shape[m]} in dim {m} and second has "
                f"size {b.shape[n]} in dim {n}"
            )
    return contraction("tensordot", a, b, dims_a, dims_b)


def contracted_dims(a, b, dims):
    """The argument ``dims`` as two lists: a number is so many last dims of ``a`` and first ones of ``b``."""
    if isinstance(dims, (tuple, list)):
        dims_a, dims_b = dims
        return [list(d) if isinstance(d, (tuple, list)) else [d] for d in (dims_a, dims_b)]
    if is_tensor(dims):
        return contracted_dims(a, b, dims.tolist())
    if dims < 0:
        raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
    if dims > min(a.ndim, b.ndim):
        raise RuntimeError(
            f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims} for tensors of {a.ndim} and {b.ndim} dims"
        )
    return list(range(a.ndim - dims, a.ndim)), list(range(dims))


overload(
    "tensordot(a, b, dims=2)",
    "The sum of products over dims of two tensors: over the last ``dims`` of ``a`` with the first ``dims`` of ``b``, or over "
    "the dims that two lists name.",
    choose_tensordot,
    method=False,
    out=True,
)


def choose_inner(input, other):
    need_tensors("inner", input=input, other=other)
    if not (input.ndim and other.ndim):
        return TABLE["mul"], (input, other)
    if input.dtype is not other.dtype:
        raise RuntimeError(f"inner: both inputs should have same dtype, got {input.dtype} and {other.dtype}")
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            f"inner() the last dimension must match on both input tensors but got shapes {list(input.shape)} and "
            f"{list(other.shape)}"
        )
    if input.ndim == other.ndim == 1:
        return dot, (input, other)
    return contraction("inner", input, other, (input.ndim - 1,), (other.ndim - 1,))


overload(
    "inner(input, other)",
    "The sums of products over the last dims of two tensors, for all combinations of their other dims.",
    choose_inner,
    out=True,
)
