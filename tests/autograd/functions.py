"""Custom functions for the tests, written once and made for whichever library is passed."""

from types import SimpleNamespace


def make(lib):
    """The functions, over ``lib``: the real torch, or Pullback under its name."""
    Function = lib.autograd.Function

    class Scale(Function):
        """Keeps a number on ctx; the old style, with ctx in forward."""

        @staticmethod
        def forward(ctx, x, k):
            ctx.k = k
            ctx.save_for_backward(x)
            return x * k

        @staticmethod
        def backward(ctx, grad):
            return grad * ctx.k, None

    class Square(Function):
        """The separate style, with every rule."""

        generate_vmap_rule = True

        @staticmethod
        def forward(x):
            return x**2

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return grad * 2 * x

        @staticmethod
        def jvp(ctx, tangent):
            (x,) = ctx.saved_tensors
            return tangent * 2 * x

    class Exp(Function):
        """Saves its output."""

        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, grad):
            (y,) = ctx.saved_tensors
            return grad * y

    class Products(Function):
        """Two inputs, two outputs and a setting."""

        generate_vmap_rule = True

        @staticmethod
        def forward(x, y, power=2):
            return x**power * y, x + y

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, y, ctx.power = inputs
            ctx.save_for_backward(x, y)
            ctx.save_for_forward(x, y)

        @staticmethod
        def backward(ctx, grad_product, grad_sum):
            x, y = ctx.saved_tensors
            p = ctx.power
            return grad_product * p * x ** (p - 1) * y + grad_sum, grad_product * x**p + grad_sum, None

        @staticmethod
        def jvp(ctx, x_tangent, y_tangent, _):
            x, y = ctx.saved_tensors
            p = ctx.power
            return x_tangent * p * x ** (p - 1) * y + y_tangent * x**p, x_tangent + y_tangent

    class AddOne(Function):
        """Writes its input in place."""

        @staticmethod
        def forward(ctx, x):
            x.add_(1)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, grad):
            return grad * 5

    class Identity(Function):
        """Returns its input as it is, with a gradient that shows that its backward ran."""

        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, grad):
            return grad * 5

    class Flat(Function):
        """Returns a view of its input."""

        @staticmethod
        def forward(ctx, x):
            return x.view(-1)

        @staticmethod
        def backward(ctx, grad):
            return grad.view(2, 2) * 5

    return SimpleNamespace(**{k: v for k, v in locals().items() if k not in ("lib", "Function")})


def returning(lib, value, outputs=1):
    """A function of one tensor that doubles it (``outputs`` times), and whose backward returns ``value(grads)``."""

    class Returning(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2 if outputs == 1 else tuple(x * (i + 2) for i in range(outputs))

        @staticmethod
        def backward(ctx, *grads):
            return value(*grads)

    return Returning
