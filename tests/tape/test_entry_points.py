"""``backward`` and ``grad``: what each argument means, and what is refused, program by program as in torch."""

import subprocess
import sys
import warnings

import numpy as np
import pytest

import pullback
from both import Cases, compare

cases = Cases()


def leaf(torch, *values, dtype=None):
    return torch.tensor(values, dtype=dtype, requires_grad=True)


def tensor(torch, *values, dtype=None):
    return torch.tensor(values, dtype=dtype)


def quadratic(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x * 3
    return x, y, (y * y).sum()


# -- roots and their gradients -----------------------------------------------------------------------------------------

ROOTS = {
    "an integer": lambda torch: torch.tensor([1, 2]).sum().backward(),
    "an integer, with a gradient": lambda torch: torch.tensor([1, 2]).backward(torch.tensor([1, 2])),
    "what requires no grad": lambda torch: torch.ones(2).backward(torch.ones(2)),
    "two, the second of which requires no grad": lambda torch: torch.autograd.backward(
        [leaf(torch, 1.0).sum(), torch.tensor(1.0)]
    ),
    "several elements without a gradient": lambda torch: (leaf(torch, 1.0, 2.0) * 2).backward(),
    "a complex scalar without a gradient": lambda torch: leaf(torch, 1j, 2.0).sum().backward(),
    "a number": lambda torch: torch.autograd.backward(3.0),
    "nothing": lambda torch: torch.autograd.backward([]),
    "nothing, for grad": lambda torch: torch.autograd.grad([], [leaf(torch, 1.0)]),
}
for what, act in ROOTS.items():
    cases(f"roots: {what}")(act)

GRADIENTS = {
    "of another real dtype": lambda torch: tensor(torch, 1.0, 2.0, dtype=torch.float64),
    "of integers": lambda torch: tensor(torch, 1, 2),
    "of booleans": lambda torch: tensor(torch, True, False),
    "of a complex dtype": lambda torch: tensor(torch, 1j, 2.0),
    "of another shape": lambda torch: tensor(torch, 1.0),
    "of a shape that would broadcast": lambda torch: torch.ones(2, 2),
    "that is a number": lambda torch: 1.0,
    "that requires grad": lambda torch: leaf(torch, 3.0, 4.0),
    "in a list": lambda torch: [tensor(torch, 1.0, 2.0)],
}


def add_gradient_cases():
    for what, make in GRADIENTS.items():

        def run(torch, make=make):
            x = leaf(torch, 1.0, 2.0)
            (x * 2).backward(make(torch))
            return x.grad

        cases(f"a gradient {what}")(run)


add_gradient_cases()


@cases("a real gradient of a complex root")
def _(torch):
    (leaf(torch, 1j, 2.0) * 2).backward(torch.ones(2))


@cases("None stands for the gradient of a scalar among several roots")
def _(torch):
    x = leaf(torch, 1.0, 2.0)
    return torch.autograd.grad([(x * 2).sum(), x * 3], x, [None, torch.ones(2)])


@cases("None does not stand for that of another")
def _(torch):
    x = leaf(torch, 1.0, 2.0)
    torch.autograd.grad([(x * 2).sum(), x * 3], x, [None, None])


@cases("roots may be repeated, given as a tuple, leaves, or of one element in any shape")
def _(torch):
    x, y = leaf(torch, 1.0, 2.0), leaf(torch, 5.0)
    a, b = (x * 2).sum(), (x * x).sum()
    torch.autograd.backward((a, b, a), retain_graph=True)
    y.backward()
    (y * y).reshape(1, 1, 1).backward()
    return x.grad, y.grad, torch.autograd.grad([a, a], x), torch.autograd.grad(y, y)


@cases("a gradient that requires grad is differentiated under create_graph only")
def _(torch):
    x, v = leaf(torch, 1.0, 2.0), leaf(torch, 3.0, 4.0)
    y = x * x
    (plain,) = torch.autograd.grad(y, x, v, retain_graph=True)
    (g,) = torch.autograd.grad(y, x, v, create_graph=True)
    return plain, g, torch.autograd.grad(g.sum(), [x, v])


@cases("the old name of grad_tensors warns")
def _(torch):
    x = leaf(torch, 1.0, 2.0)
    torch.autograd.backward([(x * 2).sum()], grad_variables=torch.tensor(3.0))
    return x.grad


@cases("and is refused beside the new one")
def _(torch):
    torch.autograd.backward(leaf(torch, 1.0), torch.ones(1), grad_variables=torch.ones(1))


# -- inputs ------------------------------------------------------------------------------------------------------------

INPUTS = {
    "none": lambda torch, x, y, z: [],
    "a tensor": lambda torch, x, y, z: x,
    "repeated": lambda torch, x, y, z: [x, x],
    "a non-leaf": lambda torch, x, y, z: [y],
    "a non-leaf, repeated, and a leaf": lambda torch, x, y, z: [y, y, x],
    "the root": lambda torch, x, y, z: (z, x),
    "a tensor that requires no grad": lambda torch, x, y, z: [x, torch.ones(1)],
    "a number": lambda torch, x, y, z: [3],
    "letters": lambda torch, x, y, z: "abc",
    "an unused one": lambda torch, x, y, z: [x, leaf(torch, 1.0)],
    "an edge of a leaf": lambda torch, x, y, z: torch.autograd.graph.get_gradient_edge(x),
    "an edge of a non-leaf": lambda torch, x, y, z: [torch.autograd.graph.get_gradient_edge(y), x],
    "an edge made by hand": lambda torch, x, y, z: torch.autograd.graph.GradientEdge(y.grad_fn, 0),
    "an edge of a leaf's node": lambda torch, x, y, z: torch.autograd.graph.GradientEdge(
        y.grad_fn.next_functions[0][0], 0
    ),
    "an edge of nothing": lambda torch, x, y, z: torch.autograd.graph.GradientEdge(None, 0),
}


def add_input_cases():
    for what, inputs in INPUTS.items():

        def by_grad(torch, inputs=inputs):
            x, y, z = quadratic(torch)
            return torch.autograd.grad(z, inputs(torch, x, y, z)), x.grad

        def by_backward(torch, inputs=inputs):
            x, y, z = quadratic(torch)
            z.backward(inputs=inputs(torch, x, y, z))
            return x.grad, y.retains_grad, y.retains_grad and y.grad

        cases(f"inputs of grad: {what}")(by_grad)
        cases(f"inputs of backward: {what}")(by_backward)


add_input_cases()


@cases("unused inputs: None, or zeros")
def _(torch):
    x, w = leaf(torch, 1.0, 2.0), leaf(torch, 1.0, 2.0, 3.0, dtype=torch.float64)
    z = (x * x).sum()
    return (
        torch.autograd.grad(z, [x, w], allow_unused=True, retain_graph=True),
        torch.autograd.grad(z, [x, w], materialize_grads=True),
    )


@cases("zeros are refused where None is")
def _(torch):
    x = leaf(torch, 1.0)
    torch.autograd.grad(x.sum(), x, materialize_grads=True, allow_unused=False)


@cases("zeros cannot be made for an edge")
def _(torch):
    x, edge = leaf(torch, 1.0), torch.autograd.graph.get_gradient_edge(leaf(torch, 1.0) * 2)
    torch.autograd.grad(x.sum(), edge, materialize_grads=True)


@cases("only_inputs warns, and is ignored")
def _(torch):
    x, w = leaf(torch, 1.0), leaf(torch, 2.0)
    return torch.autograd.grad((x * w).sum(), x, only_inputs=False), w.grad


@cases("gradients of backward(inputs=) add up over passes")
def _(torch):
    x, y, z = quadratic(torch)
    for _ in range(2):
        z.backward(inputs=[x, y], retain_graph=True)
    return x.grad, y.grad


# -- edges -------------------------------------------------------------------------------------------------------------


@cases("an edge is a named tuple")
def _(torch):
    x = leaf(torch, 1.0)
    edge = torch.autograd.graph.get_gradient_edge(x * 2)
    return edge._fields, edge.node.name(), edge[1:], isinstance(edge, tuple)


@cases("edges outlive their tensors")
def _(torch):
    x, y, z = quadratic(torch)
    edges = [torch.autograd.graph.get_gradient_edge(t) for t in (z, y, x)]
    del x, y, z
    return torch.autograd.grad(edges[0], edges[1:])


@cases("an edge may be a root of backward")
def _(torch):
    x, y, z = quadratic(torch)
    torch.autograd.backward(torch.autograd.graph.get_gradient_edge(z), retain_graph=True)
    edge = torch.autograd.graph.get_gradient_edge(y)
    torch.autograd.backward([edge], [torch.tensor([1.0, 2.0], dtype=torch.float64)])
    return x.grad


@cases("an edge of several elements needs a gradient")
def _(torch):
    torch.autograd.backward(torch.autograd.graph.get_gradient_edge(leaf(torch, 1.0, 2.0) * 2))


@cases("of its shape")
def _(torch):
    torch.autograd.backward([torch.autograd.graph.get_gradient_edge(leaf(torch, 1.0, 2.0) * 2)], [torch.ones(3)])


@cases("an edge of one of several outputs")
def _(torch):
    a, b, _ = leaf(torch, 1.0, 2.0, 3.0).unbind(0)
    edge = torch.autograd.graph.get_gradient_edge(b)
    return edge.output_nr, torch.autograd.grad(a * 2 + b * 5, edge)


@cases("there is no edge of what requires no grad")
def _(torch):
    torch.autograd.graph.get_gradient_edge(torch.ones(1))


# -- batches of gradients ----------------------------------------------------------------------------------------------


def batched(torch, cotangents, outputs=None, **options):
    x, w = leaf(torch, 1.0, 2.0), leaf(torch, 5.0)
    outputs = outputs(x) if outputs else [x * x, (x * 3).sum()]
    return torch.autograd.grad(outputs, options.pop("inputs", lambda x, w: [x])(x, w), cotangents(torch),
                               is_grads_batched=True, **options)  # fmt: skip


BATCHES = {
    "of several outputs": lambda torch: batched(
        torch, lambda t: [t.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), t.tensor([1.0, 2.0, 3.0])]
    ),
    "of another dtype": lambda torch: batched(torch, lambda t: t.ones(3, 2, dtype=t.float64), lambda x: x * x),
    "with an unused input": lambda torch: batched(
        torch, lambda t: t.eye(2), lambda x: x * x, inputs=lambda x, w: [x, w], allow_unused=True
    ),
    "with zeros for an unused input": lambda torch: batched(
        torch, lambda t: t.eye(2), lambda x: x * x, inputs=lambda x, w: [x, w], materialize_grads=True
    ),
    "with an unused input that is refused": lambda torch: batched(
        torch, lambda t: t.eye(2), lambda x: x * x, inputs=lambda x, w: [x, w]
    ),
    "of different sizes": lambda torch: batched(torch, lambda t: [t.ones(1, 2), t.ones(2)]),
    "of an output that is an input": lambda torch: batched(torch, lambda t: t.eye(2), lambda x: x),
}
for what, act in BATCHES.items():
    if what != "of different sizes":
        cases(f"a batch of gradients {what}")(act)


@cases("a batch of gradients under create_graph")
def _(torch):
    x = leaf(torch, 1.0, 2.0)
    (g,) = torch.autograd.grad(x * x * x, x, torch.eye(2), is_grads_batched=True, create_graph=True)
    return g, torch.autograd.grad(g.sum(), x)


# -- graphs that are kept, freed, and walked from within ---------------------------------------------------------------


@cases("a second pass needs retain_graph")
def _(torch):
    _, _, z = quadratic(torch)
    z.backward()
    z.backward()


@cases("create_graph keeps the graph, unless retain_graph says no")
def _(torch):
    x = leaf(torch, 1.0, 2.0)
    y = (x * x * x).sum()
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    second = torch.autograd.grad(g.sum(), x, retain_graph=True)
    (g,) = torch.autograd.grad(y, x, create_graph=True, retain_graph=False)
    torch.autograd.grad(g.sum(), x)
    return second


@cases("a pass frees only what it walked")
def _(torch):
    x, w = leaf(torch, 1.0, 2.0), leaf(torch, 1.0, 2.0)
    a, b = x * x, w * w
    torch.autograd.grad((a * b).sum(), a)
    return torch.autograd.grad(b.sum(), w), torch.autograd.grad(a.sum(), x)


@cases("create_graph records also under no_grad, and nothing where nothing depends")
def _(torch):
    x = leaf(torch, 1.0, 2.0)
    y, linear = (x * x).sum(), (x * 3).sum()
    with torch.no_grad():
        (g,) = torch.autograd.grad(y, x, create_graph=True)
    return g, torch.autograd.grad(linear, x, create_graph=True)


@cases("passes inside hooks: on other graphs, on the same leaf")
def _(torch):
    x, w = leaf(torch, 2.0), leaf(torch, 3.0)
    y, z = x * x, (x * 5).sum()

    def inner(g):
        with torch.enable_grad():
            (w * w).sum().backward()
        z.backward()

    y.register_hook(inner)
    y.sum().backward()
    return x.grad, w.grad


@cases("a pass inside a hook fails as any other, and the outer one with it")
def _(torch):
    y = leaf(torch, 2.0) * 2
    y.register_hook(lambda g: torch.ones(1).backward())
    y.sum().backward()


@cases("a pass inside a custom function's backward")
def _(torch):
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            with torch.enable_grad():
                z = x.detach().requires_grad_()
                (d,) = torch.autograd.grad((z**2).sum(), z)
            return g * d

    x = leaf(torch, 2.0)
    Square.apply(x).sum().backward()
    return x.grad


# -- .grad -------------------------------------------------------------------------------------------------------------

ASSIGNED = {
    "a number": lambda torch, x: 3,
    "of another shape": lambda torch, x: torch.ones(1),
    "itself": lambda torch, x: x,
    "None": lambda torch, x: None,
    "one that requires grad": lambda torch, x: leaf(torch, 1.0, 2.0),
}


def add_assignment_cases():
    for what, value in ASSIGNED.items():

        def run(torch, value=value):
            x = leaf(torch, 1.0, 2.0)
            x.grad = value(torch, x)
            (x * 3).sum().backward()
            return x.grad

        cases(f".grad is assigned {what}")(run)


add_assignment_cases()


@cases(".grad that is there is added to in place, also where it has a history; under create_graph it is replaced")
def _(torch):
    x = leaf(torch, 1.0, 2.0)
    first = x.grad = torch.tensor([10.0, 20.0])
    (x * 3).sum().backward()
    in_place = x.grad is first, first.tolist()
    (x * x * x).sum().backward(create_graph=True)
    second = x.grad
    (x * 3).sum().backward()
    return in_place, second is first, first, x.grad is second, second


@cases("gradients given by the user are not taken over, nor shared by leaves")
def _(torch):
    x, y, g = leaf(torch, 1.0, 2.0), leaf(torch, 1.0, 2.0), torch.tensor([3.0, 4.0])
    for create in (False, True):
        x.grad = y.grad = None
        (x + y).backward(g, create_graph=create)
        (x * 2).sum().backward()
        x.grad = x.grad.detach()
    return x.grad, y.grad.detach(), g


LAYOUTS = {
    "transposed": lambda torch: torch.arange(6.0).reshape(2, 3).t(),
    "with gaps": lambda torch: torch.ones(2, 6)[:, ::2],
    "expanded": lambda torch: torch.ones(1, 3).expand(2, 3),
    "channels last": lambda torch: torch.ones(2, 4, 5, 3).permute(0, 3, 1, 2),
    "with dims of one": lambda torch: torch.ones(3, 1, 2).permute(1, 2, 0),
    "row by row": lambda torch: torch.ones(2, 3),
}


def add_layout_cases():
    for what, make in LAYOUTS.items():

        def run(torch, make=make):
            found = []
            for create in (False, True):
                w = make(torch).detach().requires_grad_()
                (w.transpose(0, 1) * torch.ones_like(w).contiguous().transpose(0, 1).contiguous()).sum().backward(
                    create_graph=create
                )
                found.append([step for step, size in zip(w.grad.stride(), w.shape, strict=True) if size > 1])
            return w.stride(), found[0], found[1] if w.is_contiguous() else None

        cases(f"a new .grad is laid out as a leaf that lies {what}")(run)


add_layout_cases()


@cases("where the layout is not enforced, a gradient is taken as it comes")
def _(torch):
    found = []
    for enforced in (True, False):
        w = torch.ones(2, 3, requires_grad=True)
        with torch.autograd.grad_mode.enforce_grad_layout_policy(enforced):
            (w * torch.ones(3, 2).t()).backward(torch.ones(3, 2).t())
        found.append(w.grad.stride())
    return found


# -- grad_dtype --------------------------------------------------------------------------------------------------------


@cases("grad_dtype: gradients are cast to it, hooks see that")
def _(torch):
    x, seen = leaf(torch, 1.0), []
    before = x.grad_dtype
    x.grad_dtype = torch.float64
    x.register_hook(lambda g: seen.append(str(g.dtype)))
    (x * 3).sum().backward()
    return before, x.grad_dtype, seen, x.grad, torch.autograd.grad((x * 3).sum(), x)


@cases("grad_dtype without hooks, and under create_graph")
def _(torch):
    x, y = leaf(torch, 1.0), leaf(torch, 1.0)
    x.grad_dtype = y.grad_dtype = torch.float64
    (x * 3).sum().backward()
    (y * y).sum().backward(create_graph=True)
    return x.grad, y.grad.detach()


@cases("grad_dtype None takes any")
def _(torch):
    x = leaf(torch, 1.0)
    x.grad_dtype = None
    (x * 3).sum().backward()
    first = x.grad
    x.grad = torch.ones(1, dtype=torch.float64)
    (x * 3).sum().backward()
    return first, x.grad, x.grad_dtype


REFUSED = {
    "to a string": lambda torch, x: setattr(x, "grad_dtype", "a"),
    "of a non-leaf": lambda torch, x: setattr(x * 2, "grad_dtype", torch.float64),
}
for what, act in REFUSED.items():
    cases(f"grad_dtype cannot be set {what}")(lambda torch, act=act: act(torch, leaf(torch, 1.0)))


@cases("grad_dtype cannot be read of a non-leaf")
def _(torch):
    return (leaf(torch, 1.0) * 2).grad_dtype


@pytest.mark.parametrize("sentence", cases)
def test_backward_and_grad_do_as_in_torch(sentence, torch):
    compare(torch, cases[sentence])


# -- where Pullback does more ------------------------------------------------------------------------------------------


def test_a_wrong_number_of_gradients_is_refused():
    x = leaf(pullback, 1.0)
    with pytest.raises(RuntimeError, match="got 1 tensors and 2 gradients"):
        pullback.autograd.grad([x.sum()], x, [pullback.tensor(1.0), pullback.tensor(1.0)])


def test_roots_that_are_no_tensors_are_named():
    with pytest.raises(TypeError, match=r"Expected output to be a torch\.Tensor.*float"):
        pullback.autograd.grad([3.0], leaf(pullback, 1.0))


def test_none_in_a_batch_is_one_for_every_element():
    x = leaf(pullback, 1.0, 2.0)
    (found,) = pullback.autograd.grad([(x * x).sum(), x * 2], x, [None, pullback.eye(2)], is_grads_batched=True)
    np.testing.assert_allclose(found.numpy(), [[4.0, 4.0], [2.0, 6.0]])


@pytest.mark.parametrize(
    ("cotangents", "error", "message"),
    [
        (lambda: [None, None], ValueError, "the same size in the mapped dimension"),
        (lambda: [pullback.ones(1, 2), pullback.ones(2)], ValueError, r"got sizes \[1, 2\]"),
        (lambda: [pullback.ones(2, 3), None], RuntimeError, "first dimension of each grad_output as the batch"),
        (lambda: [pullback.ones(2), None], RuntimeError, r"shape of torch.Size\(\[2\]\)"),
    ],
)
def test_batches_that_do_not_fit_are_refused(cotangents, error, message):
    x = leaf(pullback, 1.0, 2.0)
    outputs = [x * x, x.sum()] if cotangents()[0] is not None else [x.sum(), x.sum()]
    with pytest.raises(error, match=message):
        pullback.autograd.grad(outputs, x, cotangents(), is_grads_batched=True)


def test_inputs_that_are_refused_change_nothing():
    x, y, z = quadratic(pullback)
    with pytest.raises(RuntimeError, match="can't retain_grad"):
        z.backward(inputs=[y, pullback.ones(1)])
    assert not y.retains_grad
    z.backward()
    assert x.grad is not None


def test_an_edge_of_an_output_that_is_not_there_is_refused():
    y = leaf(pullback, 1.0) * 2
    with pytest.raises(RuntimeError, match=r"has 1 output\(s\), but output_nr is 5"):
        pullback.autograd.grad(y.sum(), pullback.autograd.graph.GradientEdge(y.grad_fn, 5))


def test_an_edge_made_by_hand_is_a_root_with_a_gradient():
    x, y, _ = quadratic(pullback)
    edge = pullback.autograd.graph.GradientEdge(y.grad_fn, 0)
    with pytest.raises(RuntimeError, match="only for scalar outputs"):
        pullback.autograd.grad(edge, x)
    assert pullback.autograd.grad(edge, x, pullback.ones(2))[0].tolist() == [3.0, 3.0]


def test_a_grad_of_another_dtype_is_refused_with_both_dtypes():
    x = leaf(pullback, 1.0)
    with pytest.raises(RuntimeError, match=r"a gradient with dtype 'torch\.float64' .* grad_dtype 'torch\.float32'"):
        x.grad = pullback.ones(1, dtype=pullback.float64)
    x.grad = pullback.ones(1)
    with pytest.raises(RuntimeError, match=r"Cannot set grad_dtype to 'torch\.float64' .* dtype 'torch\.float32'"):
        x.grad_dtype = pullback.float64


DEEP = """
import pullback as torch

depth = []

def deeper(n):
    y = torch.ones(1, requires_grad=True) * 2

    def again(g):
        depth.append(n)
        if n:
            with torch.enable_grad():
                deeper(n - 1)

    y.register_hook(again)
    y.sum().backward()

deeper(100)
print(len(depth))
"""


def test_passes_nest_a_hundred_deep():
    """In a process of its own: pytest's frames, and function modes of other tests, take from the stack as well."""
    done = subprocess.run([sys.executable, "-c", DEEP], capture_output=True, text=True)
    assert done.stdout == "101\n", done.stderr


def test_create_graph_needs_no_warning_for_there_is_no_cycle():
    x = leaf(pullback, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (x * x).sum().backward(create_graph=True)
    assert x.grad.requires_grad


def test_a_read_only_gradient_is_replaced_by_the_sum():
    x = leaf(pullback, 1.0, 2.0)
    frozen = np.ones(2, np.float32)
    frozen.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x.grad = pullback.from_numpy(frozen)
    (x * 3).sum().backward()
    assert x.grad.tolist() == [4.0, 4.0]
