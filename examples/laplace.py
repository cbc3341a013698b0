"""Laplace's approximation: how sure is a network of a regression? The Hessian of its loss tells (MacKay, 1992).

    pullback run examples/laplace.py [--quick] [--seed 0] [--out out/laplace]

A small network is fitted to noisy points with a gap between them. The posterior of its weights is taken for a Gaussian
around the fit, whose precision is the Hessian, with the part that curvature of the network itself brings left out
(Gauss-Newton). The error bars of the prediction must be wide in the gap, and cover the truth.
"""

import math

import torch
from showing import options, picture, progress, reached
from torch import nn, optim
from torch.func import functional_call, hessian, jacrev, vmap

NOISE, PRIOR = 0.1, 0.1  # the deviation of the points, and the precision of the weights before any was seen


def truth(x):
    return torch.sin(2 * x) * 0.7 + 0.3 * x


def main():
    arguments = options(__doc__, "laplace")
    torch.manual_seed(arguments.seed)
    torch.set_default_dtype(torch.float64)
    width, steps = (12, 800) if arguments.quick else (20, 3000)
    x = torch.cat([torch.rand(30) - 2, torch.rand(30) + 0.6])  # nothing between -1 and 0.6
    y = truth(x) + NOISE * torch.randn(60)
    model = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, 1))

    def predict(vector, x):
        """The prediction at one point by the weights that are kept in a vector."""
        parts = vector.split([p.numel() for p in model.parameters()])
        weights = {name: part.view_as(p) for part, (name, p) in zip(parts, model.named_parameters(), strict=True)}
        return functional_call(model, weights, (x.view(1, 1),)).squeeze()

    predictions = vmap(predict, (None, 0))

    def unlikely(vector):
        """The negative logarithm of the posterior, up to a constant."""
        return ((predictions(vector, x) - y) ** 2).sum() / (2 * NOISE**2) + PRIOR * vector.square().sum() / 2

    vector = nn.utils.parameters_to_vector(model.parameters()).detach().requires_grad_()
    optimizer = optim.Adam([vector], lr=2e-2)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    for step in range(1, steps + 1):
        loss = unlikely(vector)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        progress(step, steps, f"negative log posterior {loss.item():.3f}")

    fit = vector.detach()
    slopes = vmap(jacrev(predict), (None, 0))(fit, x)  # (point, weight)
    precision = slopes.T @ slopes / NOISE**2 + PRIOR * torch.eye(len(fit))
    full = hessian(unlikely)(fit)
    torch.testing.assert_close(full, full.T)
    print(f"{len(fit)} weights; the Hessian has {(torch.linalg.eigvalsh(full) < 0).sum().item()} negative eigenvalues,")
    print(f"and differs from Gauss and Newton's matrix by {(full - precision).norm() / full.norm():.1%}")

    at = torch.linspace(-2.2, 1.8, 121)
    there = vmap(jacrev(predict), (None, 0))(fit, at)
    mean = predictions(fit, at)
    variance = (there * torch.linalg.solve(precision, there.T).T).sum(1)
    band = 2 * variance.sqrt()
    evidence = -unlikely(fit) - torch.logdet(precision) / 2 + len(fit) / 2 * math.log(PRIOR) - 60 * math.log(NOISE)
    print(f"log evidence of this model, up to a constant: {evidence.item():.2f}")

    def draw(axes):
        axes.fill_between(at.numpy(), (mean - band).numpy(), (mean + band).numpy(), alpha=0.25, label="two deviations")
        axes.plot(at.numpy(), mean.numpy(), label="fit")
        axes.plot(at.numpy(), truth(at).numpy(), "k:", label="truth")
        axes.plot(x.numpy(), y.numpy(), ".", color="0.4")
        axes.legend(frameon=False)

    picture(arguments.out / "laplace.png", draw, figsize=(7, 4))
    in_gap, on_data = band[(at > -0.6) & (at < 0.2)].mean(), band[(at < -1.1) | (at > 0.7)].mean()
    covered = ((mean - truth(at)).abs() < band).double().mean().item()
    print(f"two deviations are {on_data:.3f} where there are points, {in_gap:.3f} in the gap")
    reached("deviation in the gap by that at the points", (in_gap / on_data).item(), 2.0)
    reached("share of the truth within two deviations", covered, 0.8)


if __name__ == "__main__":
    main()
