"""A neural ODE: the law of a motion, learnt from how its path looks (Chen et al., 2018).

    pullback run examples/neural_ode.py [--quick] [--seed 0] [--out out/neural_ode]

A network gives the velocity at each place; a Runge-Kutta solver integrates it, and gradients flow through the solver. At
the end they are compared with those of the adjoint method, which solves a second equation backwards in time.
"""

import torch
from showing import options, picture, progress, reached
from torch import nn, optim
from torch.func import functional_call, vjp


def rk4(field, y, times):
    """The path from y through all the times, one step of fourth order each."""
    path = [y]
    for h in times.diff():
        a = field(y)
        b = field(y + h / 2 * a)
        c = field(y + h / 2 * b)
        d = field(y + h * c)
        y = y + h / 6 * (a + 2 * b + 2 * c + d)
        path.append(y)
    return torch.stack(path)


def adjoint_gradient(model, y, times, cotangent):
    """The gradient by the weights of <cotangent, y(end)>, by integrating (y, a, ∂) from the end back to the beginning.

    Here y' = f(y), a' = -a ∂f/∂y and ∂' = -a ∂f/∂weights. All three are kept in one vector.
    """
    weights = {name: p.detach() for name, p in model.named_parameters()}
    shapes = {name: p.shape for name, p in weights.items()}

    def backwards(state):
        place, a = state[: y.numel()].view_as(y), state[y.numel() : 2 * y.numel()].view_as(y)
        velocity, pull = vjp(lambda w, x: functional_call(model, w, (x,)), weights, place)
        by_weights, by_place = pull(a)
        return torch.cat([velocity.flatten(), -by_place.flatten(), *[-by_weights[name].flatten() for name in shapes]])

    with torch.no_grad():
        end = rk4(model, y, times)[-1]
        size = sum(w.numel() for w in weights.values())
        start = torch.cat([end.flatten(), cotangent.flatten(), torch.zeros(size)])
        return rk4(backwards, start, times.flip(0))[-1][2 * y.numel() :]


class Law(nn.Module):
    """A velocity at each place, odd in it."""

    def __init__(self, width=32):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, 2))

    def forward(self, y):
        return self.net(y**3)


def main():
    arguments = options(__doc__, "neural_ode")
    torch.manual_seed(arguments.seed)
    matrix = torch.tensor([[-0.1, 2.0], [-2.0, -0.1]])
    times = torch.linspace(0, 6, 121)
    truth = rk4(lambda y: y**3 @ matrix.T, torch.tensor([[2.0, 0.0]]), times)[:, 0]
    model = Law()
    steps, length = 250 if arguments.quick else 1500, 8
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)

    losses = []
    for step in range(1, steps + 1):
        first = torch.randint(len(times) - length, (32,))
        pieces = truth[first + torch.arange(length)[:, None]]  # (time, piece, 2)
        loss = (rk4(model, pieces[0], times[:length]) - pieces).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        progress(step, steps, f"mean distance {losses[-1]:.4f}")

    start = torch.tensor([[1.0, 0.5]])
    path = rk4(model, start, times[:41])
    direct = torch.autograd.grad(path[-1].sum(), list(model.parameters()))
    direct = torch.cat([gradient.flatten() for gradient in direct])
    adjoint = adjoint_gradient(model, start, times[:41], torch.ones(1, 2))
    print(f"adjoint and direct gradients differ by {(adjoint - direct).norm() / direct.norm():.1e} of their length")

    with torch.no_grad():
        learnt = rk4(model, truth[:1], times)[:, 0]

    def draw(axes):
        axes.plot(*truth.T.numpy(), "0.6", linewidth=4, label="truth")
        axes.plot(*learnt.T.numpy(), "--", label="learnt law, from the same start")
        axes.legend(frameon=False)

    picture(arguments.out / "neural_ode.png", draw, figsize=(5, 5))
    error = (learnt - truth).norm(dim=-1).mean().item()
    reached("mean distance of the whole path", error, 0.8 if arguments.quick else 0.3, is_less=True)


if __name__ == "__main__":
    main()
