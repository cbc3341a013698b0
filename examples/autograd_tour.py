"""A tour of autograd: every value is printed beside the one that calculus gives.

    pullback run examples/autograd_tour.py

The script is written in PyTorch's own words, and says the same under PyTorch, except for the wording of one error.
"""

import argparse
import math

import torch
from torch import nn

stops = []


def stop(function):
    """A stop of the tour: its docstring is the title."""
    stops.append(function)
    return function


def show(what, found, expected):
    """Print a value beside the expected one, and insist that they are equal."""
    found = torch.as_tensor(found).detach()
    expected = torch.as_tensor(expected, dtype=found.dtype)
    assert torch.isclose(found, expected, rtol=1e-5).all(), f"{what}: {found} is not {expected}"
    print(f"  {what:<42} {text_of(found):>26}   calculus: {text_of(expected)}")


def text_of(tensor):
    """Numbers in few characters."""
    if tensor.dim() == 0:
        return f"{tensor.item():.6g}"
    return "[" + " ".join(text_of(row) for row in tensor) + "]"


@stop
def ones_squared_times_three():
    """Ones, squared, times three"""
    x = torch.ones(2, 2, requires_grad=True)
    y = x**2 * 3
    y.backward(torch.ones_like(y))
    show("d(3x²)/dx at 1 = 6x", x.grad, torch.full((2, 2), 6.0))
    print(f"  the graph, from its root: {y.grad_fn.name()} <- {y.grad_fn.next_functions[0][0].name()}")


@stop
def two_scalars():
    """A product plus a square: f(x, y) = xy + y²"""
    x = torch.tensor(2.0, requires_grad=True)
    y = torch.tensor(3.0, requires_grad=True)
    (x * y + y**2).backward()
    show("∂f/∂x at (2, 3) = y", x.grad, 3.0)
    show("∂f/∂y at (2, 3) = x + 2y", y.grad, 2.0 + 2 * 3.0)


@stop
def polynomial():
    """A polynomial: p(x) = 4x³ - 2x² + 7x - 1"""
    x = torch.tensor(3.0, requires_grad=True)
    p = 4 * x**3 - 2 * x**2 + 7 * x - 1
    p.backward()
    show("p(3)", p, 4 * 27 - 2 * 9 + 7 * 3 - 1)
    show("p'(3) = 12x² - 4x + 7", x.grad, 12 * 9 - 4 * 3 + 7)


@stop
def detached():
    """detach and requires_grad_"""
    x = torch.tensor(3.0, requires_grad=True)
    (x * x.detach()).backward()
    show("d(x·c)/dx at 3, where c = x detached", x.grad, 3.0)
    w = torch.tensor([1.0, 2.0])
    w.requires_grad_()
    (w**3).sum().backward()
    show("d(Σw³)/dw = 3w², after requires_grad_()", w.grad, [3.0, 12.0])


@stop
def higher_orders():
    """Derivatives of derivatives, with create_graph: sin at 0.5, and x⁴ at 2"""
    x = torch.tensor(0.5, requires_grad=True)
    (first,) = torch.autograd.grad(torch.sin(x), x, create_graph=True)
    (second,) = torch.autograd.grad(first, x, create_graph=True)
    (third,) = torch.autograd.grad(second, x)
    show("sin'(0.5) = cos(0.5)", first, math.cos(0.5))
    show("sin''(0.5) = -sin(0.5)", second, -math.sin(0.5))
    show("sin'''(0.5) = -cos(0.5)", third, -math.cos(0.5))
    x = torch.tensor(2.0, requires_grad=True)
    derivative = x**4
    for order, expected in enumerate([32.0, 48.0, 48.0], start=1):
        (derivative,) = torch.autograd.grad(derivative, x, create_graph=True)
        show(f"derivative {order} of x⁴ at 2", derivative, expected)


@stop
def accumulated():
    """Gradients add up over two backward calls on a retained graph"""
    x = torch.tensor(4.0, requires_grad=True)
    y = x**2
    y.backward(retain_graph=True)
    show("d(x²)/dx at 4", x.grad, 8.0)
    y.backward()
    show("and once more, added", x.grad, 16.0)


@stop
def written_in_place():
    """A write in place that destroys a value which backward needs"""
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    y = torch.exp(x)  # the derivative of exp is its own result,
    z = (y * 2).sum()
    y += 1  # which is overwritten here
    try:
        z.backward()
    except RuntimeError as error:
        print("  z.backward() raised RuntimeError:")
        message = str(error)
        for phrase in (", was saved at ", " and overwritten by ", " (its storage"):
            message = message.replace(phrase, "\n     " + phrase.lstrip(","))
        print("  " + message)
    else:
        raise AssertionError("the destroyed value went unnoticed")


@stop
def linear_layer():
    """A linear layer: y = xWᵀ + b, and L = Σ y·g"""
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
        layer.bias.copy_(torch.tensor([0.5, -0.5]))
    x = torch.tensor([[1.0, 0.0, -1.0], [2.0, 1.0, 0.0]], requires_grad=True)
    g = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    layer(x).backward(g)
    show("∂L/∂x = gW", x.grad, [[9.0, 12.0, 15.0], [19.0, 26.0, 33.0]])
    show("∂L/∂W = gᵀx", layer.weight.grad, [[7.0, 3.0, -1.0], [10.0, 4.0, -2.0]])
    show("∂L/∂b = Σ g over the rows", layer.bias.grad, [4.0, 6.0])


@stop
def descent_by_hand():
    """A step of gradient descent by hand, under no_grad: L = (w - 5)²"""
    w = torch.tensor(1.0, requires_grad=True)
    loss = (w - 5) ** 2
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
    show("w - 0.1 · 2(w - 5) at 1", w, 1.8)
    show("the loss was", loss, 16.0)
    show("and is", (w - 5) ** 2, 10.24)
    assert w.requires_grad and w.is_leaf


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="accepted for the tests' sake: the tour is always quick")
    parser.parse_args()
    for number, function in enumerate(stops, start=1):
        print(f"{number}. {function.__doc__}")
        function()
    print(f"\nAll {len(stops)} stops agree with calculus.")


if __name__ == "__main__":
    main()
