"""A physics-informed network: it solves a differential equation by being trained to obey it (Raissi et al., 2019).

    pullback run examples/pinn.py [--quick] [--seed 0] [--out out/pinn]

The equation is that of a damped oscillator, u″ + 2 d u′ + w² u = 0 with u(0) = 1 and u′(0) = 0. The network's second
derivative by time is differentiated once more by its weights. The exact solution is known, and only used to compare.
"""

import math

import torch
from showing import options, picture, progress, reached
from torch import nn, optim

DAMPING, FREQUENCY, END = 0.5, 4.0, 3.0


class Solution(nn.Module):
    """u(t) as a network that starts with u(0) = 1 and u′(0) = 0, whatever its weights are."""

    def __init__(self, width=32):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)
        )

    def forward(self, t):
        return 1 + t**2 * self.net(t)


def derivative(u, t):
    """du/dt at each time, itself differentiable: no time has a say in another's value."""
    return torch.autograd.grad(u.sum(), t, create_graph=True)[0]


def residual(model, t):
    """How far the network is from obeying the equation, at each time."""
    t = t.requires_grad_()
    u = model(t)
    velocity = derivative(u, t)
    return derivative(velocity, t) + 2 * DAMPING * velocity + FREQUENCY**2 * u


def exact(t):
    w = math.sqrt(FREQUENCY**2 - DAMPING**2)
    return torch.exp(-DAMPING * t) * (torch.cos(w * t) + DAMPING / w * torch.sin(w * t))


def main():
    arguments = options(__doc__, "pinn")
    torch.manual_seed(arguments.seed)
    model = Solution()
    steps = 800 if arguments.quick else 6000
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    end = 1.0 if arguments.quick else END

    losses = []
    for step in range(1, steps + 1):
        t = (torch.arange(64) + torch.rand(64))[:, None] / 64 * end  # one random time in each of 64 intervals
        loss = residual(model, t).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        progress(step, steps, f"mean squared residual {losses[-1]:.2e}")

    t = torch.linspace(0, end, 200)[:, None]
    with torch.no_grad():
        found, truth = model(t), exact(t)

    def draw(axes):
        axes[0].plot(t, truth, "0.6", linewidth=4, label="exact")
        axes[0].plot(t, found, "--", label="network")
        axes[0].set(xlabel="t", ylabel="u")
        axes[0].legend(frameon=False)
        axes[1].semilogy(losses)
        axes[1].set(xlabel="step", ylabel="mean squared residual")

    t, truth, found = t.numpy(), truth.numpy(), found.numpy()
    worst = float(abs(found - truth).max())
    picture(arguments.out / "pinn.png", draw, 1, 2, figsize=(9, 3.5))
    reached("largest error of the solution", worst, 0.05 if arguments.quick else 0.2, is_less=True)


if __name__ == "__main__":
    main()
