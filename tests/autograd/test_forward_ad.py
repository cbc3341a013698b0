"""Dual levels: values and errors as torch's, every operation of the table, writes and views, and reverse mode beside them."""

import importlib
import random
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import pullback
from numeric import agree, array
from pullback import nn
from pullback.autograd import forward_ad
from pullback.func import grad, jacfwd, jvp, vmap

sys.path[:0] = [str(Path(__file__).parent.parent / folder) for folder in ("ops", "transforms")]
from cases import DIFFERENTIABLE  # noqa: E402
from outcomes import check  # noqa: E402
from problem import problems_of, tensors  # noqa: E402


def ad(lib):
    return importlib.import_module(f"{lib.__name__}.autograd.forward_ad")


def dual(program):
    """A program that runs in a dual level with x = (1, 2) of tangent (0.5, 0.25), and unpacks its results."""

    def run(lib):
        with ad(lib).dual_level():
            made = ad(lib).make_dual(lib.tensor([1.0, 2.0]), lib.tensor([0.5, 0.25]))
            results = program(made, lib)
            results = results if isinstance(results, tuple) else (results,)
            return [parts(ad(lib).unpack_dual(r)) if isinstance(r, lib.Tensor) else r for r in results]

    return run


def parts(unpacked):
    return unpacked.primal, "none" if unpacked.tangent is None else unpacked.tangent


def in_mode(x, mode):
    with mode:
        return x * 2, x


def written(x, T):
    a = T.zeros(3)
    v = a[:2]
    v.copy_(x)
    return a, v


def through_view(x, T):
    v = x[0]
    v.mul_(3)
    return x, v, x[:1]


def written_then_used(x, T):
    a = T.ones(2, 2)
    a[1] = x
    a[:, 0].mul_(x)
    return a * a, a.t()


PROGRAMS = {
    "itself": dual(lambda x, T: x),
    "arithmetic": dual(lambda x, T: (x * x, 2 / x, x @ x)),
    "a constant": dual(lambda x, T: T.ones(2) * 3),
    "clone": dual(lambda x, T: x.clone()),
    "detach": dual(lambda x, T: x.detach()),
    "data": dual(lambda x, T: x.data),
    "no_grad": dual(lambda x, T: in_mode(x, T.no_grad())),
    "inference_mode": dual(lambda x, T: in_mode(x, T.inference_mode())[0].clone()),
    "disabled": dual(lambda x, T: in_mode(x, ad(T)._set_fwd_grad_enabled(False))),
    "integers": dual(lambda x, T: x.long()),
    "another dtype": dual(lambda x, T: x.double()),
    "zeros_like": dual(lambda x, T: T.zeros_like(x)),
    "stacked with a constant": dual(lambda x, T: T.stack([x, T.ones(2)])),
    "several results": dual(lambda x, T: tuple(x.split(1))),
    "a write to a constant's slice": dual(written),
    "a write through a view": dual(through_view),
    "writes and uses": dual(written_then_used),
    "zeroed": dual(lambda x, T: x.clone().zero_()),
    "unsqueeze_": dual(lambda x, T: x.clone().unsqueeze_(0)),
    "a parameter": dual(lambda x, T: T.nn.Parameter(x)),
    "vmap inside": dual(lambda x, T: T.vmap(lambda a: a**2)(x)),
    "func.grad inside": dual(lambda x, T: T.func.grad(lambda a: (a**3).sum())(x)),
    "func.grad of a closure": dual(lambda x, T: T.func.grad(lambda a: (a**3 * x).sum())(T.ones(2))),
    "what it says of itself": dual(lambda x, T: (str(x.requires_grad), str(x.is_leaf), str(x._is_view()))),
    "its text": dual(lambda x, T: (repr(x), repr(x.requires_grad_()))),
    "its numbers": dual(lambda x, T: (x.sum().item(), x.tolist()[0])),
    "make_dual again": dual(lambda x, T: ad(T).make_dual(x, T.ones(2))),
    "a tangent with a tangent": dual(lambda x, T: ad(T).make_dual(T.ones(2), x)),
    "another shape": dual(lambda x, T: ad(T).make_dual(T.ones(3), T.ones(2))),
    "another dtype's tangent": dual(lambda x, T: ad(T).make_dual(T.ones(2).double(), T.ones(2))),
    "an integer primal": dual(lambda x, T: ad(T).make_dual(T.ones(2).long(), T.ones(2))),
    "an integer tangent": dual(lambda x, T: ad(T).make_dual(T.ones(2), T.ones(2).long())),
    "an unknown level": dual(lambda x, T: ad(T).make_dual(T.ones(2), T.ones(2), level=1)),
    "unpack a number": dual(lambda x, T: ad(T).unpack_dual(1.0)),
    "no level": lambda T: ad(T).make_dual(T.ones(2), T.ones(2)),
    "unpack without a level": lambda T: parts(ad(T).unpack_dual(T.ones(2))),
    "close what is not open": lambda T: ad(T).exit_dual_level(),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_dual_tensors_are_torchs(program, torch):
    check(program, torch)


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=str)
def test_every_operation_carries_tangents_beside_reverse_mode(case):
    """Equal to jvp; the gradient's tangent is the jvp of the vjp."""
    for p in problems_of(case):
        cotangents = tuple(tensors(pullback, p.cotangents))
        pull = lambda *x, p=p, c=cotangents: pullback.func.vjp(p.outputs, *x)[1](c)
        primals, tangents = (tuple(tensors(pullback, each)) for each in (p.primals, p.tangents))
        want = jvp(p.outputs, primals, tangents)[1]
        want_of_gradient = jvp(pull, primals, tangents)[1]
        with forward_ad.dual_level():
            inputs = tensors(pullback, p.primals, True)
            outs = p.outputs(*[forward_ad.make_dual(x, t) for x, t in zip(inputs, tangents, strict=True)])
            compare(outs, want, f"{case}: tangent")
            if all(o.requires_grad for o in outs):
                found = pullback.autograd.grad(outs, inputs, cotangents, materialize_grads=True)
                compare(found, want_of_gradient, f"{case}: tangent of the gradient", 1e-7)


def compare(duals, want, what, rtol=1e-9):
    for out, w in zip(duals, want, strict=True):
        tangent = forward_ad.unpack_dual(out).tangent
        agree(np.zeros(w.shape) if tangent is None else array(tangent), array(w), what, rtol=rtol, atol=1e-6)


# -- random programs ---------------------------------------------------------------------------------------------------


def random_program(seed):
    """Statements over a, b and c: arithmetic, views, writes to tensors and through views, no_grad and detach."""
    rng, lines, names, views = random.Random(seed), [], ["a", "b", "c"], []
    for i in range(rng.randint(3, 12)):
        x, y, v, draw = rng.choice(names), rng.choice(names), f"v{i}", rng.random()
        w = rng.choice(views or names)
        if draw < 0.25:
            lines.append(f"{v} = {x} {rng.choice('+-*')} {y}")
        elif draw < 0.35:
            lines.append(f"{v} = {x}.{rng.choice(['sin', 'exp', 'tanh', 'clone', 'detach'])}()")
        elif draw < 0.5:
            lines.append(f"{v} = {w}[{rng.choice(['0:2', '1:', '::2', ':'])}]")
            views.append(v)
            continue
        elif draw < 0.65:
            lines.append(f"{x}.{rng.choice(['mul_', 'add_', 'sub_', 'copy_'])}({y})")
        elif draw < 0.75:
            lines.append(f"{w}.{rng.choice(['mul_(2.0)', 'sin_()', 'add_(1.5)', 'zero_()', f'mul_({w})'])}")
        elif draw < 0.83:
            lines.append(f"{w}.copy_({x}.sum())")
        elif draw < 0.93:
            lines.append(f"{x}[{rng.randint(0, 2)}] = {y}[{rng.randint(0, 2)}] * 2.0")
        else:
            lines.append(f"with lib.no_grad(): {v} = {x} * {y}")
        if lines[-1].startswith((v, "with")):
            names.append(v)
    return lines, [*names, *views]


def trace_of(lib, seed, recorded):
    """Each variable's primal and tangent at the end; where reverse mode is on, the gradients of their sum too."""
    lines, names = random_program(seed)
    numbers = np.random.default_rng(seed).uniform(-1, 1, (5, 3))
    a, b, c, s, t = [lib.tensor(row) for row in numbers]
    if recorded:
        a, c = a.requires_grad_(), c.requires_grad_()
    found = {}
    with ad(lib).dual_level():
        scope = {"lib": lib, "a": ad(lib).make_dual(a * 1, s).clone(), "b": b, "c": ad(lib).make_dual(c * 1, t)}
        for line in lines:
            exec(line, scope)
        for name in names:
            found[name] = (*numbers_of(ad(lib), scope[name]), scope[name].requires_grad)
        if recorded:
            total = sum(scope[n].sum() for n in names if scope[n].requires_grad)
            for name, g in zip("ac", lib.autograd.grad(total, [a, c], materialize_grads=True), strict=True):
                found["gradient of " + name] = numbers_of(ad(lib), g)
    return found


def numbers_of(module, tensor):
    primal, tangent = module.unpack_dual(tensor)
    primal = primal.detach().numpy().copy()
    return primal, np.zeros_like(primal) if tangent is None else tangent.detach().numpy().copy()


@pytest.mark.parametrize("recorded", (False, True), ids=("alone", "beside reverse mode"))
@pytest.mark.parametrize("seeds", [range(i, i + 50) for i in range(0, 300, 50)], ids=lambda s: f"seeds from {s.start}")
def test_random_programs_carry_torchs_tangents(seeds, recorded, torch):
    for seed in seeds:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch's own, of its first dual tensor
                want = trace_of(torch, seed, recorded)
        except RuntimeError:
            continue  # a write that torch refuses
        got = trace_of(pullback, seed, recorded)
        for name in want:
            for which, g, w in zip(("primal", "tangent", "requires_grad"), got[name], want[name], strict=False):
                text = "\n".join(random_program(seed)[0])
                agree(g, w, f"seed {seed}, {which} of {name} in\n{text}\n", atol=1e-9)


# -- beyond torch ------------------------------------------------------------------------------------------------------


def test_levels_nest_and_give_second_derivatives():
    """d²/dx² x³ = 6x; PyTorch allows one level."""
    x, one = pullback.tensor(2.0), pullback.tensor(1.0)
    with forward_ad.dual_level() as outer:
        a = forward_ad.make_dual(x, one)
        with forward_ad.dual_level() as inner:
            first = forward_ad.unpack_dual(forward_ad.make_dual(a, one) ** 3)
            assert (outer, inner) == (0, 1) and forward_ad.unpack_dual(first.primal).tangent is None
            assert forward_ad.unpack_dual(first.primal, level=0).tangent.item() == 12.0
        assert forward_ad.unpack_dual(first.tangent).tangent.item() == 12.0
        with pytest.raises(RuntimeError, match="not the last one"):
            forward_ad.exit_dual_level(level=3)


def test_levels_do_not_confuse_their_tangents():
    """d/dx [x · d/dy (x + y)] = 1."""
    x, one = pullback.tensor(2.0), pullback.tensor(1.0)
    with forward_ad.dual_level():
        a = forward_ad.make_dual(x, one)
        with forward_ad.dual_level():
            inner = forward_ad.unpack_dual(a + forward_ad.make_dual(one, one)).tangent
        assert forward_ad.unpack_dual(a * inner).tangent.item() == 1.0


def test_after_its_level_a_tensor_is_an_ordinary_one():
    with forward_ad.dual_level():
        y = forward_ad.make_dual(pullback.ones(2), pullback.ones(2)) * 2
    with forward_ad.dual_level():
        assert forward_ad.unpack_dual(y).tangent is None and forward_ad.unpack_dual(y * y).tangent is None
    assert repr(y) == "tensor([2., 2.])" and (y + 1).tolist() == [3.0, 3.0]


def test_a_level_closes_after_an_exception():
    with pytest.raises(ZeroDivisionError), forward_ad.dual_level():
        raise ZeroDivisionError
    with pytest.raises(RuntimeError, match="no level exists"):
        forward_ad.make_dual(pullback.ones(1), pullback.ones(1))


def test_the_given_tangent_is_never_written():
    t = pullback.tensor([0.5, 0.25])
    with forward_ad.dual_level():
        w = pullback.ones(2)
        x = forward_ad.make_dual(w, t)
        x.mul_(3)
        assert forward_ad.unpack_dual(x).tangent.tolist() == [1.5, 0.75]
        assert w.tolist() == [3.0, 3.0] and t.tolist() == [0.5, 0.25]


def test_reverse_mode_over_a_tangent_and_with_create_graph():
    x, t = pullback.tensor([1.0, 2.0], requires_grad=True), pullback.tensor([1.0, 10.0])
    with forward_ad.dual_level():
        d = forward_ad.make_dual(x, t)
        y = (d**3).sum()
        (g,) = pullback.autograd.grad(forward_ad.unpack_dual(y).tangent, x, retain_graph=True)
        assert g.tolist() == [6.0, 120.0]
        (g,) = pullback.autograd.grad(y, d, create_graph=True)
        _, tangent = forward_ad.unpack_dual(g)
        assert tangent.tolist() == [6.0, 120.0] and tangent.requires_grad
        y.backward()
        assert x.grad.tolist() == [3.0, 12.0] and forward_ad.unpack_dual(x.grad).tangent is None


def test_make_dual_works_inside_vmap_whoever_opened_the_level():
    """PyTorch has no batching rule for it."""
    x, eye = pullback.tensor([1.0, 2.0]), pullback.eye(2)

    def push(t):
        return forward_ad.unpack_dual(forward_ad.make_dual(x, t) ** 2).tangent

    def alone(t):
        with forward_ad.dual_level():
            return push(t)

    with forward_ad.dual_level():
        assert vmap(push)(eye).tolist() == [[2.0, 0.0], [0.0, 4.0]]
        assert grad(lambda a: (forward_ad.unpack_dual(forward_ad.make_dual(a, x) ** 3).tangent).sum())(x).tolist() == [
            6.0,
            24.0,
        ]
    assert vmap(alone)(eye).tolist() == [[2.0, 0.0], [0.0, 4.0]]


def test_transforms_inside_a_level_carry_tangents():
    x, t = pullback.tensor([1.0, 2.0]).double(), pullback.tensor([0.5, 0.25]).double()
    f = lambda a: (a.sin() * a).sum()
    for transform in (grad, jacfwd, lambda f: lambda a: vmap(grad(lambda b: b.sin() * b))(a)):
        with forward_ad.dual_level():
            got = forward_ad.unpack_dual(transform(f)(forward_ad.make_dual(x, t))).tangent
        agree(got.numpy(), (t * (2 * x.cos() - x * x.sin())).numpy(), "the tangent of a gradient")


class Exp(pullback.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        ctx.save_for_forward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        return ctx.saved_tensors[0] * g

    @staticmethod
    def jvp(ctx, t):
        return ctx.saved_tensors[0] * t


def test_custom_functions_carry_tangents_by_their_own_rule():
    x = pullback.tensor([0.0, 1.0], requires_grad=True)
    with forward_ad.dual_level():
        y = Exp.apply(forward_ad.make_dual(x, pullback.tensor([1.0, 2.0])))
        agree(forward_ad.unpack_dual(y).tangent.detach().numpy(), [1.0, 2 * np.e], "tangent", rtol=1e-6)
        (g,) = pullback.autograd.grad(y.sum(), x)
        agree(forward_ad.unpack_dual(g).tangent.numpy(), [1.0, 2 * np.e], "tangent of the gradient", rtol=1e-6)


def test_a_modules_parameters_may_be_duals():
    pullback.manual_seed(0)
    layer, x = nn.Linear(3, 2), pullback.randn(3)
    with forward_ad.dual_level():
        for name, p in list(layer.named_parameters()):
            delattr(layer, name)
            setattr(layer, name, forward_ad.make_dual(p, pullback.ones_like(p)))
        tangent = forward_ad.unpack_dual(layer(x)).tangent
    agree(tangent.detach().numpy(), np.full(2, x.sum().item() + 1), "the tangent", rtol=1e-5)


def test_a_buffer_that_a_dual_is_written_to_becomes_ordinary_again():
    mean = pullback.zeros(2)
    with forward_ad.dual_level():
        mean.mul_(0.9).add_(forward_ad.make_dual(pullback.ones(2), pullback.ones(2)) * 0.1)
        assert forward_ad.unpack_dual(mean).tangent.tolist() == pytest.approx([0.1, 0.1])
    assert repr(mean) == "tensor([0.1000, 0.1000])"
