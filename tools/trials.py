"""Trying a name of either library on a sample call: has it a value, derivatives, a batch rule, a complex version?

The calls are the table's own samples, which the generated tests check against independent truths; a name that has none
(an overload, a conversion) is tried on guessed arguments. A trait says that the thing works at all, not that it is right.
"""

import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "ops"), str(ROOT / "tests")]

warnings.simplefilter("ignore")  # deprecated names are tried like others

import numpy as np  # noqa: E402
from cases import CASES, Case, chooses, flat  # noqa: E402
from samples import Maker  # noqa: E402

import pullback  # noqa: E402
from pullback.ops.table import TABLE, Op  # noqa: E402

PLAIN = Op("anything(input, b, c, d, e)", "What is called with guessed arguments.")
PLAIN.diff = PLAIN.params
MOST = 6  # samples that are tried of one operation


def guesses() -> list[Case]:
    """Arguments that many functions take, the likeliest first."""
    t = Maker(7)
    x, v, image, two = t(3, 3, low=0.1, high=0.9), t(3, low=0.1, high=0.9), t(2, 4, 4, 4), t(2, 2, 4, low=0.1, high=0.9)
    x = pullback.tensor((x @ x.T).numpy() + 2 * np.eye(3))  # positive definite
    rows, pivots = t.integers(0, 2, 2), t.integers(3, 4, 3, dtype="int32")
    calls = [
        (x,), (x, x), (x, 1), (x, 0), (x, (3, 3)), (v,), (v, v), ([v, v],), (x, 0, 1), (x, 0, 1, 2), (x, x, x), (x, v),
        (image,), (image, 2), (image, (1, 1)), (v, v, v), (x, [1, 2]), (x, 0, (3, 1)), (image, image, image), ([x, x],),
        ("ij->ji", x), (two, two, two), (image, 1), (x, 0.5), (x, x, t.bools(3, 3)), (x, (9,)), (x, pullback.float64),
        (x, x, x, x), (x, x, v), (x, v, v), (two, 1), (image, t(2), t(2)), (x, (-1,)), (3,), (2, 3), (x, 0, rows),
        (x, 0, t.integers(0, 2, 2, 2), x), (x, (rows,), v[0]), (t.integers(1, 9, 3),), (t.integers(1, 9, 3),) * 2,
        (x, (2, 2), (1, 2)), (rows, x), (v, v, t(2, 3, 3)), (x, pivots), (x, x, pivots), (),
    ]  # fmt: skip
    return [Case(PLAIN, i, (args, {})) for i, args in enumerate(calls)]


def peculiar() -> dict[str, list[Case]]:
    """Calls of overloads whose arguments nobody would guess."""
    t = Maker(8)
    scores, labels, lengths = t(4, 2, 3), t.integers(1, 3, 2, 2), ([4, 3], [2, 1])
    table, places, tokens = t(5, 3), t.integers(0, 5, 2, 3), t(3, 2, 4)
    bags = (table, t.integers(0, 5, 6), t.integers(0, 1, 2))
    steps, state = t(4, 2, 3), t(1, 2, 2)
    network = lambda gates, hx: (steps, hx, [t(2 * gates, 3), t(2 * gates, 2)], False, 1, 0.0, False, False, False)
    cell = lambda gates, hx: (t(2, 3), hx, t(2 * gates, 3), t(2 * gates, 2))
    heads = (tokens, tokens, tokens, 4, 2, t(12, 4), None, None, None, False, 0.0, t(4, 4), None)
    calls: dict[str, tuple] = {
        "ctc_loss": (scores, labels, *lengths),
        "ctc_loss_numbered": (scores, labels, *lengths),
        "embedding_bag": (places, table),
        "embedding_bag_in_torch": bags,
        "embedding_in_torch": (table, places),
        "embedding_renorm_": (table, places, 1.0, 2.0),
        "linear_cross_entropy": (t(4, 3), table, t.integers(0, 5, 4)),
        "multi_head_attention_forward": heads,
        "multi_margin_loss": (t(2, 3), t.integers(0, 3, 2)),
        "poisson_nll_loss_numbered": (t(2, 3), t(2, 3, low=0.1), True, False, 1e-8, 1),
        "lstm": network(4, (state, state)),
        "lstm_cell": cell(4, (state[0], state[0])),
    }
    for name, gates in (("gru", 3), ("rnn_tanh", 1), ("rnn_relu", 1)):
        calls |= {name: network(gates, state), f"{name}_cell": cell(gates, state[0])}
    anything = Op("anything(" + ", ".join(f"a{i}" for i in range(13)) + ")", "What is called with these arguments.")
    anything.diff = anything.params
    return {name: [Case(anything, 0, (args, {}))] for name, args in calls.items()}


def sampled() -> dict[str, list[Case]]:
    """The first samples of each operation: those with derivatives before others, those without elements last."""
    found: dict[str, list[Case]] = {}
    for case in CASES:
        found.setdefault(case.op.name, []).append(case)
    for cases in found.values():
        cases.sort(key=lambda c: (not c.is_differentiable, not all(leaf.size for leaf in c.leaves), c.number))
    return {name: cases[:MOST] for name, cases in found.items()}


GUESSES, SAMPLED, PECULIAR = guesses(), sampled(), peculiar()


def cases_for(record) -> list[Case]:
    """The calls to try: an operation's samples, or those by which an overload chooses its operations; then guesses."""
    if record is None:
        return GUESSES
    if record.name in PECULIAR:
        return PECULIAR[record.name]
    if TABLE.get(record.name) is record:
        return SAMPLED.get(record.name, []) + GUESSES
    return [
        c for name, cases in SAMPLED.items() if name.startswith(record.name) for c in cases if chooses(record, c)
    ] + GUESSES


class Trial:
    """One call in one library, as a function of the leaves that it may be differentiated by."""

    def __init__(self, lib, function, case: Case) -> None:
        self.lib, self.function, self.case = lib, function, case
        self.in_place = getattr(function, "__name__", "").endswith("_")

    def call(self, tensors: list):
        """The call itself, on copies where it writes in place."""
        given = [t.clone() for t in tensors] if self.in_place else tensors
        return self.case.call(self.function, given, self.lib)

    def leaves(self, dtype: str = "float64") -> list:
        return self.case.tensors(self.lib, dtype)

    def outputs(self, *free, dtype: str = "float64") -> tuple:
        """The floating results."""
        tensors = self.leaves(dtype)
        for number, value in zip(self.case.diff, free, strict=True):
            tensors[number] = value
        results = flat(self.call(tensors))
        return tuple(r for r in results if isinstance(r, self.lib.Tensor) and (r.is_floating_point() or r.is_complex()))

    def free(self, dtype: str = "float64") -> list:
        tensors = self.leaves(dtype)
        return [tensors[number] for number in self.case.diff]

    def gradients(self, dtype: str = "float64", create_graph: bool = False) -> tuple[list, list]:
        primals = [p.requires_grad_() for p in self.free(dtype)]
        results = [r for r in self.outputs(*primals, dtype=dtype) if r.requires_grad]
        grads = self.lib.autograd.grad(
            results, primals, [self.lib.ones_like(r) for r in results], create_graph=create_graph, allow_unused=True
        )
        assert any(g is not None for g in grads)
        return primals, [g for g in grads if g is not None]

    # -- the traits ----------------------------------------------------------------------------------------------------

    def vjp(self) -> None:
        self.gradients()

    def jvp(self) -> None:
        primals = tuple(self.free())
        tangents = self.lib.func.jvp(self.outputs, primals, tuple(self.lib.ones_like(p) for p in primals))[1]
        assert primals and tangents

    def vmap(self) -> None:
        leaves = self.leaves()
        assert leaves

        def call(*tensors):
            results = flat(self.call(list(tensors)))
            return tuple(r for r in results if isinstance(r, self.lib.Tensor))

        batch = [self.lib.stack([leaf, leaf]) for leaf in leaves]
        assert all(len(r) == 2 for r in self.lib.func.vmap(call, randomness="different")(*batch))

    def second(self) -> None:
        primals, grads = self.gradients(create_graph=True)
        grads = [g for g in grads if g.requires_grad]
        if grads:  # else the gradient is constant
            self.lib.autograd.grad([g.sum() for g in grads], primals, allow_unused=True)

    def complex(self) -> None:
        self.outputs(*self.free("complex128"), dtype="complex128")
        if self.has(Trial.vjp):
            self.gradients("complex128")

    def has(self, trait) -> bool:
        try:
            trait(self)
        except Exception:
            return False
        return True


TRAITS = {"g": Trial.vjp, "f": Trial.jvp, "b": Trial.vmap, "s": Trial.second, "c": Trial.complex}


def traits(lib, function, cases: list[Case]) -> str | None:
    """The letters of the traits that a function has for the first call that it takes; None if it takes none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in cases:
            trial = Trial(lib, function, case)
            if trial.has(lambda t: t.call(t.leaves())):
                return "".join(letter for letter, trait in TRAITS.items() if trial.has(trait))
    return None
