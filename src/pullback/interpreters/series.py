"""The series interpreter: higher derivatives at once. A value is a truncated Taylor series; running an operation extends it.

With ``x(t) = x[0] + x[1] t + x[2] t² + ...``, an operation's result ``y(t)`` obeys its own jvp rule: ``y'(t)`` is the rule
at ``x(t)``, applied to ``x'(t)``. Hence ``y[n] = s[n - 1] / n``, where the slope ``s`` is the rule run on series; it may
read ``y`` itself, for its coefficient ``n - 1`` needs no later one of ``y``. So coefficients are computed on demand, and
within one operation no series is computed twice: the rules of ``sin`` and ``cos`` find each other. That costs O(k²)
coefficient operations for order ``k``, or O(k³) where rules name ever new functions (``digamma``, powers with a tensor for
exponent), and more for ``scatter_reduce`` by products. No operation needs a rule of its own here, but what only adds, or
multiplies two series, is done directly.

Sources: J. Karczmarczuk, Functional Differentiation of Computer Programs (2001); A. Griewank and A. Walther, Evaluating
Derivatives, 2nd ed., ch. 13 (the recurrences of quotient and power).

Invariant: a coefficient that is identically zero is ``None``, except the first. What a user holds is computed up to the order:
arrays that the function writes to later have no part in it.
"""

from collections.abc import Callable
from functools import reduce
from math import prod
from typing import Any

from ..ops.matrices import exponential_term
from ..ops.scans import earlier, later
from ..ops.systems import square_product, triangular_product
from ..ops.table import BILINEAR, LINEAR, TABLE, Op, rule_names
from .dispatch import Value, bind_operators, depth_of, run, strip, values
from .dual import contribution, expanded, in_place_of, plus


class Series(Value):
    """The coefficients of a value's Taylor series: those that are known, and ``more(n)``, which computes the next."""

    __slots__ = ("more", "space", "terms")

    def __init__(self, space: "Space", terms: list, more: Any = None) -> None:
        self.space, self.terms, self.more = space, terms, more

    level = property(lambda self: self.space.level)
    rank = property(lambda self: 2 * self.space.level)  # type: ignore[assignment]
    primal = property(lambda self: self.terms[0])
    tangent = property(lambda self: self.space.slope(self))  # for rules: within an operation only
    shape = property(lambda self: self.terms[0].shape)
    ndim = property(lambda self: self.terms[0].ndim)
    dtype = property(lambda self: self.terms[0].dtype)

    def __repr__(self) -> str:
        return f"SeriesTensor(lvl={depth_of(self.level)}, order={self.space.order}, value=\n    {self.primal!r}\n)"

    def term(self, n: int) -> Any:
        while len(self.terms) <= n:
            self.terms.append(self.more(len(self.terms)))
        return self.terms[n]

    @staticmethod
    def interpret(op: Op, args: Any, top: "Series") -> Any:
        return op.composite(values, *args) if op.composite else top.space.run(op, args)


class Space:
    """What the series of one transform share: their level, their order, and what is known within the present operation."""

    def __init__(self, level: int, order: int) -> None:
        self.level, self.order = level, order
        self.known: dict | None = None

    def is_mine(self, value: Any) -> bool:
        return type(value) is Series and value.space is self

    def moves(self, value: Any) -> bool:
        """Whether a value, or one in a list, is a series."""
        return any(map(self.is_mine, value)) if isinstance(value, (list, tuple)) else self.is_mine(value)

    def bare(self, value: Any) -> Any:
        """What a rule gives, as series: where an operator of it met a caller's tensor first, that made a tensor of them."""
        if isinstance(value, tuple):
            return tuple(map(self.bare, value))
        held = getattr(value, "_data", None)
        return held if self.is_mine(held) else value

    def run(self, op: Op, args: Any) -> Any:
        """The result's series: all of it for a user's call, and what is asked for within a rule."""
        if self.known is not None:
            key = (op.name, *[a if type(a) is int or a is None else id(a) for a in args])
            if key not in self.known:
                self.known[key] = args, self.extend(op, args)  # the arguments stay alive, so that ids do not return
            return self.known[key][1]
        return self.complete(lambda: self.extend(op, args))

    def complete(self, make: Callable) -> Any:
        """What ``make`` gives, computed up to the order, unless that is for the operation within which it is asked for."""
        if self.known is not None:
            return make()
        self.known = {}
        try:
            result = make()
            for series in filter(self.is_mine, result if isinstance(result, tuple) else (result,)):
                series.term(self.order)
                series.more = beyond
        finally:
            self.known = None
        return result

    def grow(self, firsts: list, slopes: Callable) -> tuple:
        """Series that begin with ``firsts``; ``slopes`` gives theirs (None for zero) when it is given them."""

        def make() -> tuple:
            made = [Series(self, [first]) for first in firsts]
            found = remembered(lambda _: [self.bare(s) for s in slopes(made)])
            for i, series in enumerate(made):
                series.more = lambda n, i=i: next(iter(integrated(self, found(0)[i], n)), None)
            return tuple(made)

        return self.complete(make)

    def extend(self, op: Op, args: Any) -> Any:
        """Series over the results of an operation on the first coefficients."""
        primals = strip(args, lambda a: a.primal if self.is_mine(a) else a)
        result = run(op, primals)
        if not op.diff:
            return result
        if not isinstance(result, (tuple, list)):
            series = Series(self, [result])
            series.more = coefficients(self, op, args, primals, series)
            return series
        made = tuple(Series(self, [r]) if is_floating(r) else r for r in result)
        together = remembered(coefficients(self, op, args, primals, made))
        for i, series in enumerate(made):
            if self.is_mine(series):
                series.more = lambda n, i=i: part(together(n), i)
        return made

    def slope(self, x: Any) -> Any:
        """The series of ``x'(t)``; of a list, a list with None for constants."""
        if isinstance(x, (list, tuple)):
            return [self.slope(a) if self.is_mine(a) else None for a in x]
        known: Any = self.known
        key = ("slope", id(x))
        if key not in known:
            first = x.term(1)
            first = values.zeros_like(x.primal) if first is None else first
            known[key] = Series(self, [first], lambda n: scaled(x.term(n + 1), n + 1))
        return known[key]


def beyond(n: int) -> Any:
    raise AssertionError(f"coefficient {n} is beyond the order of the series")


def is_floating(value: Any) -> bool:
    kind = getattr(value.dtype, "kind", None)
    return kind in "fcV" if kind else value.dtype.category > 1


def remembered(function: Callable) -> Callable:
    found: dict[int, Any] = {}
    return lambda n: found[n] if n in found else found.setdefault(n, function(n))


def part(outputs: Any, i: int) -> Any:
    """What there is for the i-th output: rules may give a value for the first alone, or a tuple that is too short."""
    each = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
    return each[i] if i < len(each) else None


def scaled(term: Any, factor: float) -> Any:
    return term if term is None or factor == 1 else term * factor


# -- the coefficients of a result --------------------------------------------------------------------------------------


def coefficients(space: Space, op: Op, args: Any, primals: list, result: Any) -> Callable:
    """The function that computes a result's n-th coefficient (a tuple for several outputs), for n = 1, 2, ..."""
    if op.jvp is LINEAR:
        return lambda n: linear_term(space, op, args, primals, n)
    if op.name in RECURRENCES and (recurrence := RECURRENCES[op.name](space, result, *args)):
        return recurrence
    moving = [(i, p) for i, p in enumerate(op.params) if p in op.diff and space.moves(args[i])]
    pair = [m for m in moving if m[1] in product_of(op)]
    pair = pair if len(pair) == 2 else []
    direct = [m for m in moving if m not in pair and m[1] not in op.lists and is_fixed(space, op, *m, args)]
    rest = [m for m in moving if m not in pair and m not in direct]
    slope = remembered(
        lambda _: space.bare(total([contribution(op, i, p, space.slope(args[i]), args, result) for i, p in rest]))
    )

    def more(n: int) -> Any:
        found = [contribution(op, i, p, args[i].term(n), primals, result) for i, p in direct if is_there(args[i], n)]
        if pair:
            found += products(op, pair, args, primals, n, result)
        if rest:
            found += integrated(space, slope(0), n)
        return expanded(total(found), result)

    return more


def total(terms: list) -> Any:
    return reduce(plus, terms, None)


def is_there(x: Series, n: int) -> bool:
    return x.term(n) is not None


def linear_term(space: Space, op: Op, args: Any, primals: list, n: int) -> Any:
    """A linear operation's coefficient: the operation on the coefficients."""
    operands = [a for arg in args for a in (arg if isinstance(arg, (list, tuple)) else [arg]) if space.is_mine(a)]
    if not any(is_there(a, n) for a in operands):
        return None
    return run(op, in_place_of(op, args, primals, lambda a: a.term(n) if space.is_mine(a) else None))


def product_of(op: Op) -> tuple[str, ...]:
    """The two operands in each of which an operation is linear, if it is such a product."""
    return op.diff if op.jvp is BILINEAR else op.product


def products(op: Op, pair: list, args: Any, primals: list, n: int, result: Any) -> list:
    """What each two coefficients whose indices sum to ``n`` give: Cauchy's product."""
    (i, left), (j, right) = pair
    found = []
    for m in range(n + 1):
        x, y = args[i].term(m), args[j].term(n - m)
        if x is None or y is None:
            continue
        given = list(primals)
        given[i], given[j] = x, y
        name, position, moving = (left, i, x) if m else (right, j, y)
        found.append(contribution(op, position, name, moving, given, result))
    return found


def is_fixed(space: Space, op: Op, position: int, name: str, args: Any) -> bool:
    """Whether an operand's rule reads nothing that moves, so that each coefficient passes through it as a tangent would."""
    if op.jvp is BILINEAR:
        read: Any = [p for p in op.diff if p != name]
    else:
        read = [r for r in rule_names(op.jvp[name])[1:] if r in op.params or not r.endswith(("_shape", "_dtype"))]
    return all(r in op.params and not space.moves(args[op.params.index(r)]) for r in read)


def integrated(space: Space, slope: Any, n: int) -> list:
    """The n-th coefficient of what has this slope, in a list; an empty one for zero."""
    if isinstance(slope, tuple):
        return [tuple([(integrated(space, s, n) or [None])[0] for s in slope])]
    term = slope.term(n - 1) if space.is_mine(slope) else slope if n == 1 else None
    return [] if term is None else [term if n == 1 else term / n]


# -- recurrences that no jvp rule gives as cheaply ---------------------------------------------------------------------


def pairs(x: Series, y: Series, n: int) -> list:
    """The coefficients of two series whose indices sum to ``n``, but for the first of ``x``."""
    return [(x.term(j), y.term(n - j)) for j in range(1, n + 1) if is_there(x, j) and is_there(y, n - j)]


def quotient(space: Space, result: Series, input: Any, other: Any, rounding_mode: Any) -> Callable | None:
    """From ``result * other = input``."""
    if rounding_mode is not None or not space.is_mine(other):
        return None

    def more(n: int) -> Any:
        known = [o * r for o, r in pairs(other, result, n)]
        given = input.term(n) if space.is_mine(input) else None
        left = given if not known else -total(known) if given is None else given - total(known)
        return None if left is None else left / other.primal

    return more


def power(space: Space, result: Series, input: Any, exponent: Any) -> Callable | None:
    """From ``input * result' = exponent * input' * result``, for a number that is no natural one.

    At zero, where that divides by it, coefficients of order below the exponent are zero, and later ones infinite.
    """
    if isinstance(exponent, Value) or hasattr(exponent, "shape") or is_natural(exponent):
        return None
    base = input.primal
    at_zero = base == 0
    divisor = values.where(at_zero, 1, base)

    def more(n: int) -> Any:
        known = [
            input.term(j) * result.term(n - j) * (exponent * j - (n - j))
            for j in range(1, n + 1)
            if is_there(input, j) and is_there(result, n - j)
        ]
        if not known:
            return None
        limit = base ** (exponent - n) * binomial(exponent, n)
        limit = limit * input.term(1) ** n if is_there(input, 1) else limit
        return values.where(at_zero, limit, total(known) / (divisor * n))

    return more


def is_natural(number: Any) -> bool:
    return not isinstance(number, complex) and number >= 0 and number == int(number)


def binomial(a: Any, n: int) -> Any:
    return prod((a - j) / (j + 1) for j in range(n))


def scan(space: Space, result: Series, input: Any, factor: Any, dim: int, back: bool) -> Callable | None:
    """From ``result[i] = input[i] + factor[i] * result[i - 1]`` along ``dim``, or ``... + factor[i + 1] * result[i + 1]``."""
    if not space.is_mine(factor):
        return None

    def step(f: Any, r: Any) -> Any:
        return later(values, f * r, dim) if back else f * earlier(values, r, dim, 0)

    def more(n: int) -> Any:
        known = [step(*pair) for pair in pairs(factor, result, n)]
        given = [input.term(n)] if space.is_mine(input) and is_there(input, n) else []
        moved = total(given + known)
        return None if moved is None else values.recurrence(moved, factor.primal, dim, back)

    return more


def solution(space: Space, result: Series, matrix: Any, other: Any, *form: Any) -> Callable | None:
    """From ``matrix @ result = other``; with ``form``, of a triangular matrix."""
    if not space.is_mine(matrix):
        return None
    solver, product = (
        (TABLE["linalg_solve_triangular"], triangular_product) if form else (TABLE["solve_square"], square_product)
    )

    def more(n: int) -> Any:
        known = [-product(values, a, x, *form) for a, x in pairs(matrix, result, n)]
        given = [other.term(n)] if space.is_mine(other) and is_there(other, n) else []
        moved = total(given + known)
        return None if moved is None else run(solver, (matrix.primal, moved, *form))

    return more


def exponential(space: Space, result: Series, input: Any) -> Callable:
    return lambda n: exponential_term(values, [input.term(j) for j in range(n + 1)])


RECURRENCES: dict[str, Callable] = {
    "div": quotient,
    "pow": power,
    "recurrence": scan,
    "solve_square": solution,
    "linalg_solve_triangular": solution,
    "linalg_matrix_exp": exponential,
}

bind_operators(Series)
