"""Custom functions: both styles, every rule, what PyTorch refuses, and what is derived where a rule is missing."""

import gc
import weakref

import pytest
from tests.autograd.functions import make, returning

import pullback as P
from pullback import tree

ours = make(P)


def leaf(lib, *values):
    return lib.tensor(values, dtype=lib.float64, requires_grad=True)


def both(torch, program):
    """What a program over a library observes, for both libraries."""
    seen = []
    for lib in (torch, P):
        try:
            seen.append(program(lib, make(lib)))
        except Exception as error:
            seen.append(f"{type(error).__name__}: {error}")
    return seen


# -- programs that both libraries must see alike -----------------------------------------------------------------------


def old_style(lib, f):
    x = leaf(lib, 1.0, 2.0, 3.0)
    y = f.Scale.apply(x, 2.0)
    y.sum().backward()
    return x.grad.tolist(), type(y.grad_fn).__name__, y.grad_fn.name(), y.grad_fn.k, len(y.grad_fn.next_functions)


def saved_output_has_its_history(lib, f):
    x = leaf(lib, 1.0, 2.0)
    y = f.Exp.apply(x)
    (g,) = lib.autograd.grad(y.sum(), x, create_graph=True)
    (h,) = lib.autograd.grad(g.sum(), x)
    return [round(v, 9) for v in h.tolist()]


def third_derivative(lib, f):
    x = leaf(lib, 0.5)
    y = f.Exp.apply(f.Square.apply(x)).sum()
    for _ in range(3):
        (y,) = lib.autograd.grad(y.sum(), x, create_graph=True)
    return round(y.item(), 9)


def two_outputs(lib, f):
    x, y = leaf(lib, 1.0, 2.0), leaf(lib, 3.0, 4.0)
    a, b = f.Products.apply(x, y, 3)
    (a.sum() * 2 + (b * b).sum()).backward()
    return x.grad.tolist(), y.grad.tolist(), a.grad_fn is b.grad_fn, a.output_nr, b.output_nr


def defaults_and_keywords(lib, f):
    x, y = leaf(lib, 1.0, 2.0), leaf(lib, 3.0, 4.0)
    first, _ = f.Products.apply(x, y)
    second, _ = f.Products.apply(x, power=3, y=y)
    return first.tolist(), second.tolist()


def only_one_output_used(lib, f):
    x, y = leaf(lib, 1.0, 2.0), leaf(lib, 3.0, 4.0)
    f.Products.apply(x, y)[1].sum().backward()
    return x.grad.tolist(), y.grad.tolist()


def what_forward_sees(lib, f):
    seen = []

    class Looks(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            seen.append((x.requires_grad, x.is_leaf, lib.is_grad_enabled(), ctx.needs_input_grad))
            return x * y

        @staticmethod
        def backward(ctx, grad):
            seen.append((ctx.needs_input_grad, lib.is_grad_enabled(), grad.requires_grad))
            return grad, grad

    x, y = leaf(lib, 1.0), leaf(lib, 2.0)
    Looks.apply(x, lib.ones(1, dtype=lib.float64)).sum().backward()
    lib.autograd.grad(Looks.apply(x, y).sum(), y, create_graph=True)
    return seen


def non_differentiable_outputs(lib, f):
    seen = []

    class Marks(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            marked = x * 3
            ctx.mark_non_differentiable(marked)
            return x * 2, x > 0, marked

        @staticmethod
        def backward(ctx, *grads):
            seen.append([g.tolist() for g in grads])
            return grads[0]

    x = leaf(lib, 1.0, -1.0)
    a, b, c = Marks.apply(x)
    a.sum().backward()
    return seen, [t.requires_grad for t in (a, b, c)], [t.is_leaf for t in (a, b, c)]


def no_materialized_gradients(lib, f):
    seen = []

    class Plain(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, first, second):
            seen.append((first is None, second is None))
            return first

    x = leaf(lib, 1.0)
    Plain.apply(x)[0].sum().backward()
    return seen, x.grad.tolist()


def dirty(lib, f):
    x = leaf(lib, 1.0, 2.0)
    z = x.clone()
    y = f.AddOne.apply(z)
    y.sum().backward()
    return y is z, x.grad.tolist(), z.tolist(), z.grad_fn.name()


def dirty_view(lib, f):
    x = leaf(lib, 1.0, 2.0, 3.0)
    z = x * 2
    f.AddOne.apply(z[:2])
    (z * z).sum().backward()
    return x.grad.tolist(), z.tolist()


def dirty_leaf(lib, f):
    f.AddOne.apply(leaf(lib, 1.0))


def dirty_but_not_returned(lib, f):
    class Forgets(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x.add_(1))
            return x * 2

    Forgets.apply(leaf(lib, 1.0).clone())


def identity(lib, f):
    x = leaf(lib, 1.0, 2.0)
    z = x * 1
    y = f.Identity.apply(z)
    y.sum().backward()
    return x.grad.tolist(), y is z, y._is_view(), y._base is z


def view_output(lib, f):
    x = lib.ones(2, 2, requires_grad=True)
    y = f.Flat.apply(x * 1)
    y.sum().backward()
    return x.grad.tolist(), y._is_view()


def reading_a_view_whose_base_was_written(lib, f):
    z = lib.ones(2, 2, requires_grad=True) * 1
    y = f.Flat.apply(z)
    z.mul_(2)
    return y.grad_fn


def non_tensor_results(lib, f):
    class Mixed(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, 3, None

        @staticmethod
        def backward(ctx, grad, *others):
            return grad * 7

    x = leaf(lib, 1.0)
    y, number, nothing = Mixed.apply(x)
    y.sum().backward()
    return number, nothing, x.grad.tolist()


def gradient_in_another_dtype(lib, f):
    x = leaf(lib, 1.0)
    returning(lib, lambda g: g.float()).apply(x).sum().backward()
    return str(x.grad.dtype)


def broadcast_gradient(lib, f):
    x = leaf(lib, 1.0, 2.0)
    returning(lib, lambda g: g.expand(3, 2)).apply(x).sum().backward()
    return x.grad.tolist()


def extra_trailing_none(lib, f):
    x = leaf(lib, 1.0)
    returning(lib, lambda g: (g, None, None)).apply(x).sum().backward()
    return x.grad.tolist()


def saved_values_are_checked_for_writes(lib, f):
    y = f.Exp.apply(leaf(lib, 1.0))
    y.add_(1)
    y.sum().backward()


def freed_values(lib, f):
    y = f.Exp.apply(leaf(lib, 1.0))
    y.sum().backward()
    return y.grad_fn.saved_tensors


def backward_twice_without_saved_values(lib, f):
    x = leaf(lib, 1.0)
    y = returning(lib, lambda g: g * 3).apply(x)
    y.backward()
    y.backward()
    return x.grad.tolist()


def recording_inside_backward(lib, f):
    class Again(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.exp()

        @staticmethod
        def backward(ctx, grad):
            with lib.enable_grad():
                x = ctx.saved_tensors[0].detach().requires_grad_()
                return lib.autograd.grad(x.exp(), x, grad)[0]

    x = leaf(lib, 1.0, 2.0)
    Again.apply(x).sum().backward()
    return [round(v, 9) for v in x.grad.tolist()]


def under_no_grad(lib, f):
    with lib.no_grad():
        y = f.Scale.apply(leaf(lib, 1.0), 2.0)
    return y.requires_grad, y.is_leaf


def nothing_needs_a_gradient(lib, f):
    y = f.Scale.apply(lib.ones(2), 2.0)
    return y.requires_grad, y.grad_fn


def vjp_is_another_name_of_backward(lib, f):
    class Named(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def vjp(ctx, grad):
            return grad * 9

    x = leaf(lib, 1.0)
    Named.apply(x).sum().backward()
    return x.grad.tolist()


def gradient_of_a_setting(lib, f):
    class Wrong(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x, k):
            return x * k

        @staticmethod
        def backward(ctx, grad):
            return grad, grad

    Wrong.apply(leaf(lib, 1.0), 2.0).sum().backward()


def raising_forward(lib, f):
    class Fails(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            raise KeyError("no")

    try:
        Fails.apply(leaf(lib, 1.0))
    except KeyError:
        return lib.is_grad_enabled()


def forward_ad_in_the_old_style(lib, f):
    class Cube(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_forward(x)
            return x**3

        @staticmethod
        def jvp(ctx, tangent):
            return 3 * ctx.saved_tensors[0] ** 2 * tangent

    forward_ad = lib.autograd.forward_ad
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(lib.tensor([2.0]), lib.tensor([1.0]))
        return [t.tolist() for t in forward_ad.unpack_dual(Cube.apply(dual))]


def transforms(lib, f):
    from_func = lib.func
    x, y = lib.tensor([1.0, 2.0], dtype=lib.float64), lib.tensor([3.0, 4.0], dtype=lib.float64)
    total = lambda x, y: (lambda a, b: (a * b).sum())(*f.Products.apply(x, y, 3))
    batch = lib.arange(6.0, dtype=lib.float64).reshape(3, 2) / 3
    found = [
        from_func.grad(total)(x, y),
        from_func.grad(lambda x: from_func.grad(total)(x, y).sum())(x),
        from_func.vmap(total)(batch, batch + 1),
        from_func.vmap(from_func.grad(total), (0, None))(batch, y),
        from_func.grad(lambda y: from_func.vmap(total, (0, None))(batch, y).sum())(y),
        from_func.jacrev(lambda x: f.Products.apply(x, y, 3)[0])(x),
        from_func.jacfwd(lambda x: f.Products.apply(x, y, 3)[0])(x),
        from_func.hessian(total)(x, y),
        from_func.jvp(f.Square.apply, (x,), (y,))[1],
        from_func.vmap(from_func.vmap(f.Square.apply))(batch),
        from_func.grad(lambda x: from_func.jvp(f.Square.apply, (x,), (y,))[1].sum())(x),
    ]
    return [[round(v, 9) for v in t.reshape(-1).tolist()] for t in found]


def own_vmap_rule(lib, f):
    seen = []

    class Sine(lib.autograd.Function):
        @staticmethod
        def forward(x, y):
            return x.sin() * y

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, grad):
            x, y = ctx.saved_tensors
            return grad * x.cos() * y, grad * x.sin()

        @staticmethod
        def vmap(info, in_dims, x, y):
            seen.append((info.batch_size, info.randomness, in_dims, tuple(x.shape)))
            return Sine.apply(x, y.unsqueeze(-1)), 0

    x = lib.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=lib.float64)
    y = lib.func.vmap(Sine.apply)(x, lib.arange(3.0, dtype=lib.float64))
    return [[round(v, 9) for v in row] for row in y.tolist()], seen


ALIKE = [
    old_style, saved_output_has_its_history, third_derivative, two_outputs, defaults_and_keywords, only_one_output_used,
    what_forward_sees, non_differentiable_outputs, no_materialized_gradients, dirty, dirty_view, identity, view_output,
    non_tensor_results, gradient_in_another_dtype, broadcast_gradient, extra_trailing_none,
    backward_twice_without_saved_values, recording_inside_backward, under_no_grad, nothing_needs_a_gradient,
    vjp_is_another_name_of_backward, raising_forward, forward_ad_in_the_old_style, transforms, own_vmap_rule,
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("program", ALIKE, ids=lambda program: program.__name__)
def test_custom_functions_behave_as_in_pytorch(torch, program):
    theirs, mine = both(torch, program)
    assert mine == theirs


REFUSED = {
    dirty_leaf: "a leaf Variable that requires grad",
    dirty_but_not_returned: "Some elements marked as dirty during the forward method were not returned",
    reading_a_view_whose_base_was_written: "is a view and its base or another view of its base has been modified inplace",
    saved_values_are_checked_for_writes: "modified by an inplace operation",
    freed_values: "a second time",
    gradient_of_a_setting: "gradient different than None at position 2",
}


@pytest.mark.parametrize("program", REFUSED, ids=lambda program: program.__name__)
def test_what_pytorch_refuses_is_refused_in_its_words(torch, program):
    for seen in both(torch, program):
        assert seen.startswith("RuntimeError") and REFUSED[program] in seen


@pytest.mark.parametrize(
    "value, phrase",
    [
        (lambda g: (g, g), "incorrect number of gradients (expected 1, got 2)"),
        (lambda g: g[:1], "returned an invalid gradient at index 0 - got [1] but expected shape compatible with [2]"),
        (lambda g: 3.0, "expected Variable or None (got float)"),
    ],
)
def test_wrong_gradients_are_refused_in_pytorchs_words(torch, value, phrase):
    for lib in (torch, P):
        with pytest.raises(RuntimeError) as error:
            returning(lib, value).apply(leaf(lib, 1.0, 2.0)).sum().backward()
        assert phrase in str(error.value)


def test_a_missing_backward_is_said_to_be_missing(torch):
    for lib in (torch, P):

        class Forward(lib.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2

        with pytest.raises(NotImplementedError, match="either the backward or vjp method"):
            Forward.apply(leaf(lib, 1.0)).sum().backward()


def test_save_for_backward_takes_tensors_only(torch):
    for lib in (torch, P):

        class Saves(lib.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(3)
                return x

        with pytest.raises(TypeError, match="save_for_backward can only save variables"):
            Saves.apply(leaf(lib, 1.0))


def test_the_old_style_is_refused_inside_transforms(torch):
    for lib in (torch, P):
        scale = make(lib).Scale
        with pytest.raises(RuntimeError, match="must override the setup_context staticmethod"):
            lib.func.grad(lambda x, scale=scale: scale.apply(x, 2.0).sum())(leaf(lib, 1.0))


# -- what is ours ------------------------------------------------------------------------------------------------------


class OnlyForward(P.autograd.Function):
    """Has a jvp; its backward is the transpose."""

    @staticmethod
    def forward(x, y):
        return x * y.sin(), x + 1

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_forward(*inputs)

    @staticmethod
    def jvp(ctx, x_tangent, y_tangent):
        x, y = ctx.saved_tensors
        return x_tangent * y.sin() + x * y.cos() * y_tangent, x_tangent * 1


class OnlyBackward(P.autograd.Function):
    """Has a backward; its jvp is the transpose, and vmap calls it once per element."""

    @staticmethod
    def forward(x, y):
        return x * y.sin(), x + 1

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, product, plus):
        x, y = ctx.saved_tensors
        return product * y.sin() + plus, product * x * y.cos()


def plain(x, y):
    return x * y.sin(), x + 1


def scalar(function):
    return lambda x, y: (lambda a, b: (a.exp() * b).sum())(*function(x, y))


@pytest.mark.parametrize("function", [OnlyForward.apply, OnlyBackward.apply], ids=["jvp", "backward"])
def test_a_missing_rule_is_derived_from_the_one_that_is_there(function):
    x, y = leaf(P, 0.3, 0.5), leaf(P, 1.0, 2.0)
    mine, expected = scalar(function), scalar(plain)
    batch = P.stack([x, y, x * y]).detach()
    for transform in (
        lambda f: P.func.grad(f, (0, 1))(x, y),
        lambda f: P.func.jvp(f, (x, y), (y, x)),
        lambda f: P.func.vmap(f, (0, None))(batch, y),
        lambda f: P.func.vmap(P.func.grad(f), (0, None))(batch, y),
        lambda f: P.func.hessian(f)(x, y),
        lambda f: P.func.jacrev(P.func.jacrev(f))(x, y),
        lambda f: P.autograd.grad(f(x, y), (x, y), create_graph=True),
    ):
        for a, b in zip(tree.leaves(transform(mine)), tree.leaves(transform(expected)), strict=True):
            assert P.allclose(a, b)


def test_second_derivatives_of_derived_rules():
    x, y = leaf(P, 0.3, 0.5), leaf(P, 1.0, 2.0)
    for function in (OnlyForward.apply, OnlyBackward.apply):
        found = []
        for f in (function, plain):
            gx, gy = P.autograd.grad(scalar(f)(x, y), (x, y), create_graph=True)
            found.append(P.autograd.grad((gx * gy).sum(), (x, y)))
        for a, b in zip(*found, strict=True):
            assert P.allclose(a, b)


def test_forward_mode_over_forward_mode():
    x, y = P.tensor([1.0, 2.0]), P.tensor([3.0, 4.0])
    second = P.func.jvp(lambda x: P.func.jvp(ours.Square.apply, (x,), (y,))[1], (x,), (y,))[1]
    assert second.tolist() == [18.0, 32.0]  # 2 y²; PyTorch gives zeros here


def test_arguments_and_results_may_be_nested():
    class Mix(P.autograd.Function):
        @staticmethod
        def forward(ctx, tensors, settings):
            ctx.save_for_backward(*tensors, settings["weight"])
            return {"sum": tensors[0] + tensors[1], "weighted": [tensors[0] * settings["weight"]]}

        @staticmethod
        def backward(ctx, grads):
            a, _, w = ctx.saved_tensors
            g, h = grads["sum"], grads["weighted"][0]
            return [g + h * w, g], {"weight": (h * a).sum(), "name": None}

    a, b, w = leaf(P, 1.0, 2.0), leaf(P, 3.0, 4.0), P.tensor(2.0, dtype=P.float64, requires_grad=True)
    out = Mix.apply([a, b], {"weight": w, "name": "mix"})
    (out["sum"] * a + out["weighted"][0]).sum().backward()
    assert a.grad.tolist() == [1 + 4 + 2, 2 + 6 + 2]
    assert b.grad.tolist() == [1.0, 2.0]
    assert w.grad.item() == 3.0


@pytest.mark.parametrize("function", ["Identity", "Flat"])
def test_views_that_functions_return_can_be_written(function):
    def loss(in_place):
        x, w = (P.arange(4.0).reshape(2, 2) + 1).requires_grad_(), P.tensor([[1.0, 2.0], [3.0, 4.0]])
        z = x * x
        y = getattr(ours, function).apply(z)
        if in_place:
            y.mul_(3)
            y += 1  # from the first write on, it is a view as any other
            return x, (z * w).sum() + (y.view(2, 2).exp() / 1e5 * w).sum()
        y = y.view(2, 2) * 3 + 1
        return x, (y * w).sum() + (y.exp() / 1e5 * w).sum()

    (x, mine), (same, expected) = loss(True), loss(False)
    assert mine.item() == pytest.approx(expected.item())
    assert P.allclose(P.autograd.grad(mine, x)[0], P.autograd.grad(expected, same)[0])


def test_a_once_differentiable_backward_refuses_to_be_differentiated():
    class Once(P.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        @P.autograd.function.once_differentiable
        def backward(ctx, grad):
            return grad * 2 * ctx.saved_tensors[0]

    x = leaf(P, 3.0)
    Once.apply(x).backward()
    assert x.grad.item() == 6.0
    (g,) = P.autograd.grad(Once.apply(x), x, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice a function that was marked with @once_differentiable"):
        g.backward()


def test_saved_values_can_be_dropped_when_they_are_read():
    class Drops(P.autograd.Function):
        clear_saved_tensors_on_access = True

        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, grad):
            (y,) = ctx.saved_tensors
            with pytest.raises(RuntimeError, match="already been freed"):
                ctx.saved_tensors
            return grad * y

    Drops.apply(leaf(P, 1.0)).backward()


def test_a_graph_of_custom_functions_holds_no_cycle():
    gc.collect()
    gc.disable()
    try:
        x = leaf(P, 1.0, 2.0)
        y = ours.Exp.apply(ours.Square.apply(x))
        node = weakref.ref(y.grad_fn)
        (g,) = P.autograd.grad(y.sum(), x, create_graph=True)
        del y, g
        assert node() is None
    finally:
        gc.enable()


def test_a_function_is_not_to_be_instantiated():
    with pytest.raises(RuntimeError, match="should not be instantiated"):
        ours.Square()
