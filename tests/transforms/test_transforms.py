"""grad, vjp, jvp, linearize and the Jacobians against torch's: values, structures, and what is refused."""

import numpy as np
import pytest
from outcomes import check

import pullback
from numeric import agree, array
from pullback.func import grad, jacfwd, jacobian, jacrev, jvp, linearize, vjp, vmap


def x(T):
    return T.arange(1.0, 4.0)


def pulled(f, cotangent):
    return lambda T: T.func.vjp(lambda a: f(a, T), x(T))[1](cotangent(T))


def inner_no_grad(a, T):
    with T.no_grad():
        c = a**2
    return (a * c).sum()


def hooked(a):
    y = a * 2
    y.register_hook(lambda g: g * 10)
    return (y**2).sum()


def under(mode, program):
    def inside(T):
        with getattr(T, mode)():
            return program(T)

    return inside


def wrote(T, transform):
    a = x(T)
    return transform(lambda b: b.mul_(2) ** 2, (a,), (T.ones(3),)), a


VALUES = {
    "grad": lambda T: T.func.grad(lambda a: (a**3).sum())(x(T)),
    "grad with aux": lambda T: T.func.grad(lambda a: (a.sum(), a * 2), has_aux=True)(x(T)),
    "grad of several": lambda T: T.func.grad(lambda a, b: (a * b).sum(), argnums=(0, 1))(x(T), x(T)),
    "grad of one in a tuple": lambda T: T.func.grad(lambda a: (a * a).sum(), argnums=(0,))(x(T)),
    "grad of the last": lambda T: T.func.grad(lambda a, b: (a * b**2).sum(), argnums=-1)(x(T), x(T)),
    "grad of a dict": lambda T: T.func.grad(lambda d: (d["a"] * d["b"]).sum())({"a": x(T), "b": x(T)}),
    "grad with a keyword": lambda T: T.func.grad(lambda a, b: (a * b).sum())(x(T), b=x(T)),
    "grad of a constant": lambda T: T.func.grad(lambda a: x(T).sum())(x(T)),
    "grad of a complex tensor": lambda T: T.func.grad(lambda a: (a.abs() ** 2).sum())(x(T) * 1j),
    "grad and value": lambda T: T.func.grad_and_value(lambda a: (a.sum(), a * 2), has_aux=True)(x(T)),
    "vjp of a pair": pulled(lambda a, T: (a * 2, a.sum()), lambda T: (x(T), T.tensor(1.0))),
    "vjp with a cotangent of another dtype": pulled(lambda a, T: a * 2, lambda T: x(T).double()),
    "vjp with aux": lambda T: T.func.vjp(lambda a: (a * 2, a * 3), x(T), has_aux=True)[::2],
    "vjp of a dict": lambda T: T.func.vjp(lambda d: d["a"] * 2, {"a": x(T)})[1](x(T)),
    "vjp of nothing": lambda T: T.func.vjp(lambda: x(T))[0],
    "jvp": lambda T: T.func.jvp(lambda a: (a * 2, a.sum()), (x(T),), (x(T),)),
    "jvp of a constant": lambda T: T.func.jvp(lambda a: x(T) * 1, (x(T),), (x(T),)),
    "jvp of a write to the argument": lambda T: wrote(T, T.func.jvp),
    "jvp with aux": lambda T: T.func.jvp(lambda a: (a * 2, a * 3), (x(T),), (x(T),), has_aux=True),
    "jvp of integers": lambda T: T.func.jvp(lambda a: a.long(), (x(T),), (x(T),)),
    "jvp through integers": lambda T: T.func.jvp(lambda a: a.long().float() * a, (x(T),), (x(T),)),
    "jvp of a dict": lambda T: T.func.jvp(lambda d: d["a"] * 2, ({"a": x(T)},), ({"a": x(T)},)),
    "strict jvp": lambda T: T.func.jvp(lambda a: a * 1, (x(T),), (x(T),), strict=True),
    "linearize": lambda T: T.func.linearize(lambda a, b: (a**2 * b,), x(T), x(T))[1](x(T), x(T)),
    "the value of linearize": lambda T: T.func.linearize(lambda a: {"k": a**2}, x(T))[0],
    "jacrev": lambda T: T.func.jacrev(lambda a: a**2)(x(T)),
    "jacrev in chunks": lambda T: T.func.jacrev(lambda a: a**2, chunk_size=2)(x(T)),
    "jacrev with aux": lambda T: T.func.jacrev(lambda a: (a**2, a), has_aux=True)(x(T)),
    "jacrev of several": lambda T: T.func.jacrev(lambda a, b: {"q": a * b}, argnums=(0, 1))(x(T), x(T)),
    "jacrev of a dict": lambda T: T.func.jacrev(lambda d: d["a"] ** 2)({"a": x(T)}),
    "jacrev of nothing": lambda T: T.func.jacrev(lambda a: a[:0])(x(T)),
    "jacfwd": lambda T: T.func.jacfwd(lambda a: a**2)(x(T)),
    "jacfwd with aux": lambda T: T.func.jacfwd(lambda a: (a**2, a), has_aux=True)(x(T)),
    "jacfwd of several": lambda T: T.func.jacfwd(lambda a, b: (a * b, a.sum()), argnums=(0, 1))(x(T), x(T)),
    "jacfwd of a dict": lambda T: T.func.jacfwd(lambda d: d["a"] ** 2)({"a": x(T)}),
    "hessian": lambda T: T.func.hessian(lambda a: (a**3).sum())(x(T)),
    "hessian of several": lambda T: T.func.hessian(lambda a, b: (a * b**2).sum(), argnums=(0, 1))(x(T), x(T)),
    "functionalize": lambda T: T.func.functionalize(lambda a: a.clone().add_(1))(x(T)),
    "grad under no_grad": under("no_grad", lambda T: T.func.grad(lambda a: (a**2).sum())(x(T))),
    "grad under inference_mode": under("inference_mode", lambda T: T.func.grad(lambda a: (a**2).sum())(x(T))),
    "jvp under inference_mode": under("inference_mode", lambda T: T.func.jvp(lambda a: a**2, (x(T),), (x(T),))),
    "no_grad in grad": lambda T: T.func.grad(lambda a: inner_no_grad(a, T))(x(T)),
    "no_grad in jvp": lambda T: T.func.jvp(lambda a: inner_no_grad(a, T), (x(T),), (T.ones(3),)),
    "detach in grad": lambda T: T.func.grad(lambda a: (a * a.detach()).sum())(x(T)),
    "detach in jvp": lambda T: T.func.jvp(lambda a: a * a.detach(), (x(T),), (x(T),)),
    "detach in vmap of grad": lambda T: T.vmap(T.func.grad(lambda a: a * a.detach()))(x(T)),
    "detach is for all levels": lambda T: T.func.grad(lambda a: T.func.grad(lambda b: b.detach() * b * a)(a))(
        T.tensor(3.0)
    ),
    "detach in jvp of jvp": lambda T: T.func.jvp(
        lambda a: T.func.jvp(lambda b: b.detach() * b * a, (a,), (T.ones(()),))[1], (T.tensor(3.0),), (T.ones(()),)
    ),
    "hooks": lambda T: T.func.grad(hooked)(x(T)),
    "hooks under vmap": lambda T: T.vmap(T.func.grad(hooked))(x(T)),
    "autograd.grad inside": lambda T: T.func.grad(
        lambda a: T.autograd.grad((a**3).sum(), a, create_graph=True)[0].sum()
    )(x(T)),
    "debug_unwrap": lambda T: T.vmap(lambda a: T.func.debug_unwrap(a).sum() + a)(x(T)),
    "debug_unwrap of two": lambda T: T.vmap(T.func.grad(lambda a: a * T.func.debug_unwrap(a).sum()))(x(T)),
}

REFUSED = {
    "grad of a vector": lambda T: T.func.grad(lambda a: a)(x(T)),
    "grad of one element in a vector": lambda T: T.func.grad(lambda a: a[:1])(x(T)),
    "grad of a number": lambda T: T.func.grad(lambda a: 1.0)(x(T)),
    "grad of a pair": lambda T: T.func.grad(lambda a: (a.sum(), a))(x(T)),
    "grad of a complex result": lambda T: T.func.grad(lambda a: (a * 1j).sum())(x(T)),
    "aux missing": lambda T: T.func.grad(lambda a: a.sum(), has_aux=True)(x(T)),
    "aux of three": lambda T: T.func.grad(lambda a: (a.sum(), 1, 2), has_aux=True)(x(T)),
    "aux of a number": lambda T: T.func.grad(lambda a: (a.sum(), 3), has_aux=True)(x(T)),
    "argnums out of range": lambda T: T.func.grad(lambda a: a.sum(), argnums=1)(x(T)),
    "argnums twice": lambda T: T.func.grad(lambda a: a.sum(), argnums=(0, -1))(x(T)),
    "argnums empty": lambda T: T.func.grad(lambda a: a.sum(), argnums=())(x(T)),
    "argnums of text": lambda T: T.func.grad(lambda a: a.sum(), argnums="a")(x(T)),
    "argnums of fractions": lambda T: T.func.grad(lambda a: a.sum(), argnums=(0.5,))(x(T)),
    "no argument": lambda T: T.func.grad(lambda: x(T).sum())(),
    "integers": lambda T: T.func.grad(lambda a: a.sum() * 1.0)(T.arange(3)),
    "a number for an argument": lambda T: T.func.grad(lambda a: x(T).sum() * a)(2.0),
    "a number among arguments": lambda T: T.func.grad(lambda d: (d[0] * d[1]).sum())([x(T), 2.0]),
    "too few cotangents": pulled(lambda a, T: (a, a), lambda T: (x(T),)),
    "a list of cotangents": pulled(lambda a, T: (a, a), lambda T: [x(T), x(T)]),
    "a cotangent's shape": pulled(lambda a, T: a, lambda T: T.ones(2)),
    "a cotangent that is a number": pulled(lambda a, T: (a, a), lambda T: (x(T), 1.0)),
    "vjp of a number": lambda T: T.func.vjp(lambda a: 3.0, x(T)),
    "vjp of integers": lambda T: T.func.vjp(lambda a: a.long(), x(T)),
    "vjp at a number": lambda T: T.func.vjp(lambda a: x(T) * a, 2.0),
    "primals in no tuple": lambda T: T.func.jvp(lambda a: a, x(T), (x(T),)),
    "tangents in no tuple": lambda T: T.func.jvp(lambda a: a, (x(T),), x(T)),
    "a list of primals": lambda T: T.func.jvp(lambda a: a, [x(T)], [x(T)]),
    "too few tangents": lambda T: T.func.jvp(lambda a, b: a, (x(T), x(T)), (x(T),)),
    "no primals": lambda T: T.func.jvp(lambda: x(T), (), ()),
    "a tangent's shape": lambda T: T.func.jvp(lambda a: a, (x(T),), (T.ones(2),)),
    "jvp at a number": lambda T: T.func.jvp(lambda a: x(T) * a, (2.0,), (1.0,)),
    "jvp of a number": lambda T: T.func.jvp(lambda a: 2.0, (x(T),), (x(T),)),
    "jvp at integers": lambda T: T.func.jvp(lambda a: a, (T.arange(3),), (T.arange(3),)),
    "strict jvp of a constant": lambda T: T.func.jvp(lambda a: x(T), (x(T),), (x(T),), strict=True),
    "jvp's aux missing": lambda T: T.func.jvp(lambda a: a, (x(T),), (x(T),), has_aux=True),
    "another dict's tangents": lambda T: T.func.jvp(lambda d: d["a"], ({"a": x(T)},), ({"b": x(T)},)),
    "linearize with too few tangents": lambda T: T.func.linearize(lambda a, b: a * b, x(T), x(T))[1](x(T)),
    "linearize with a tangent's shape": lambda T: T.func.linearize(lambda a: a, x(T))[1](T.ones(2)),
    "linearize with a tangent's dtype": lambda T: T.func.linearize(lambda a: a, x(T))[1](x(T).double()),
    "jacrev in chunks of none": lambda T: T.func.jacrev(lambda a: a, chunk_size=0)(x(T)),
    "jacrev of a number": lambda T: T.func.jacrev(lambda a: (a, 2.0))(x(T)),
    "jacrev of an empty tuple": lambda T: T.func.jacrev(lambda a: ())(x(T)),
    "jacfwd of a number": lambda T: T.func.jacfwd(lambda a: 2.0)(x(T)),
    "jacfwd at integers": lambda T: T.func.jacfwd(lambda a: a)(T.arange(3)),
    "jacfwd's aux of text": lambda T: T.func.jacfwd(lambda a: (a, "s"), has_aux=True)(x(T)),
    "functionalize with an unknown removal": lambda T: T.func.functionalize(lambda a: a, remove="x")(x(T)),
}


@pytest.mark.parametrize("program", VALUES.values(), ids=VALUES.keys())
def test_values_are_torchs(program, torch):
    check(program, torch)


@pytest.mark.parametrize("program", REFUSED.values(), ids=REFUSED.keys())
def test_what_torch_refuses_is_refused_by_the_same_exception(program, torch):
    check(program, torch)
    with pytest.raises((RuntimeError, ValueError, TypeError)):
        program(pullback)


def test_every_name_of_torch_func_is_there(torch):
    assert [name for name in torch.func.__all__ if not callable(getattr(pullback.func, name))] == []


# -- beyond torch ------------------------------------------------------------------------------------------------------

Z = np.array([1 + 2j, 2 - 1j, -0.5 + 0.25j])
COMPLEX = {
    "a holomorphic function": (lambda z: z**2, Z, np.diag(2 * Z)),
    "the conjugate": (lambda z: z.conj(), Z, np.zeros((3, 3))),
    "a real function": (lambda z: z.abs() ** 2, Z, np.diag(Z.conj())),
    "a function of both": (lambda z: z**2 * z.conj(), Z, np.diag(2 * Z * Z.conj())),
    "a complex function of reals": (lambda x: x**2 * (1 + 2j), Z.real, np.diag(2 * Z.real * (1 + 2j))),
}


@pytest.mark.parametrize("f, point, want", COMPLEX.values(), ids=COMPLEX.keys())
def test_jacobians_of_complex_functions_are_wirtingers_by_either_mode(f, point, want):
    point = pullback.tensor(point)
    for by in (jacrev(f), jacfwd(f), jacobian(f, mode="forward"), jacobian(f, mode="reverse", byte_budget=1)):
        agree(array(by(point)), np.asarray(want, dtype=complex), "the Jacobian")


def windows(a):
    """Writes through views of views."""
    y = a.clone()
    v = y[:2]
    v[1:].mul_(a[0])
    y.view(3, 1)[0] = v[1] ** 2
    return y * y[0]


@pytest.mark.parametrize("mode", ("auto", "forward", "reverse"))
@pytest.mark.parametrize("budget", (1, 1 << 30))
def test_jacobian_is_the_same_by_any_mode_and_in_any_chunks(mode, budget):
    a = pullback.tensor([1.5, -0.5, 2.0], dtype=pullback.float64)
    f = lambda a, b: {"w": windows(a) * b, "s": a.sum()}
    want = jacrev(f, (0, 1))(a, a * 2)
    got = jacobian(f, (0, 1), mode, byte_budget=budget)(a, a * 2)
    for name in want:
        for g, w in zip(got[name], want[name], strict=True):
            agree(g.numpy(), w.numpy(), name)


def test_jacobian_chooses_by_shape():
    calls = []

    def f(x):
        calls.append(type(x._data._data if hasattr(x._data, "_data") else x._data).__name__)
        return x.repeat(4) if len(x) == 2 else x.sum()

    jacobian(f)(pullback.ones(2))
    assert "Dual" in calls
    calls.clear()
    jacobian(f)(pullback.ones(9))
    assert "Dual" not in calls
    with pytest.raises(ValueError, match="mode must be"):
        jacobian(f, mode="sideways")


def test_linearize_runs_the_function_once_and_its_map_is_linear():
    runs = []

    def f(a):
        runs.append(1)
        return windows(a).sin()

    a = pullback.tensor([1.5, -0.5, 2.0], dtype=pullback.float64)
    out, push = linearize(f, a)
    s, t = pullback.tensor([1.0, 2.0, 3.0]).double(), pullback.tensor([0.5, -1.0, 0.0]).double()
    agree((push(s) * 2 - push(t)).numpy(), push(2 * s - t).numpy(), "linearity")
    agree(push(s).numpy(), jvp(f, (a,), (s,))[1].numpy(), "the jvp")
    agree(out.numpy(), f(a).numpy(), "the value")
    assert len(runs) == 3


def test_linearize_nests():
    a, t = pullback.tensor([0.5, 1.0]).double(), pullback.tensor([1.0, -2.0]).double()
    f = lambda a: linearize(lambda b: b.sin() * a, a)[1](t).sum()
    agree(grad(f)(a).numpy(), (np.cos(a.numpy()) - a.numpy() * np.sin(a.numpy())) * t.numpy(), "grad of linearize")
    _, push = linearize(lambda b: b**2, a)
    agree(vmap(push)(pullback.eye(2).double()).numpy(), np.diag(2 * a.numpy()), "vmap of the map")


def test_requires_grad_and_backward_work_inside_transforms():
    """PyTorch refuses ``requires_grad_`` inside a transform."""

    def f(a):
        b = a.detach().requires_grad_()
        (b**3).sum().backward()
        return (b.grad * a).sum()

    a = pullback.tensor([1.0, 2.0])
    agree(grad(f)(a).numpy(), [3.0, 12.0], "grad of a function with backward in it")
    agree(vmap(f)(a.reshape(2, 1)).numpy(), [3.0, 24.0], "vmap of it")


def test_retained_gradients_are_kept_inside_transforms_and_by_autograd_grad():
    kept = []

    def f(a):
        y = a * 2
        y.retain_grad()
        kept.append(y)
        return (y**2).sum()

    grad(f)(pullback.ones(2))
    x = pullback.ones(2, requires_grad=True)
    pullback.autograd.grad(f(x), x)
    assert [y.grad.tolist() for y in kept] == [[4.0, 4.0]] * 2


@pytest.mark.parametrize("pattern, sizes", [
    ("a b -> b a", {}), ("a b -> (a b)", {}), ("a (b c) -> a c b", {"b": 2}), ("... (b c) -> b ... c", {"b": 2}),
    ("a b -> a b 1 ()", {}), ("... -> ...", {}), ("a b -> b", {}), ("a b c -> a b c", {}), ("a b", {}),
    ("a a -> a a", {}), ("a b -> a b", {"c": 2}), ("a (b c) -> (a b) c", {"c": 3}),
])  # fmt: skip
def test_rearrange_is_torchs(pattern, sizes, torch):
    check(lambda T: T.func.rearrange(T.arange(24).reshape(4, 6), pattern, **sizes), torch)


@pytest.mark.parametrize(
    "pattern, sizes", [("a (b c) -> a b c", {}), ("a (b c) -> a b c", {"b": 5}), ("(a b -> a b", {})]
)
def test_rearrange_refuses_what_does_not_fit(pattern, sizes):
    with pytest.raises(ValueError, match="rearrange"):
        pullback.func.rearrange(pullback.arange(24).reshape(4, 6), pattern, **sizes)


def test_vjp_pulls_through_a_write_many_times():
    _, pull = vjp(windows, pullback.tensor([1.5, -0.5, 2.0]).double())
    first, again = (pull(pullback.ones(3).double())[0].numpy() for _ in range(2))
    agree(first, again, "the second pull")
