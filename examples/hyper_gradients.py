"""Hyper-parameters by gradients: the loss on held-out data is differentiated through twenty steps of training.

    pullback run examples/hyper_gradients.py [--quick] [--seed 0] [--out out/hyper_gradients]

A linear model has forty features, of which five matter. Each feature has its own weight decay, and the outer optimizer
learns these forty from what they do to the held-out loss (Bengio, 2000). In the end the useless features are decayed away.
"""

import torch
import torch.nn.functional as F
from showing import options, picture, progress, reached
from torch import optim

FEATURES, USEFUL, STEPS = 40, 5, 20


def examples(count, truth):
    x = torch.randn(count, FEATURES)
    return x, x @ truth + 0.5 * torch.randn(count)


def train(decay, x, y):
    """Train with this decay of each weight, from zero; the result is differentiable by the decay."""
    weights = torch.zeros(FEATURES, requires_grad=True).clone()  # no leaf: the optimizer writes into it, with history
    optimizer = optim.SGD([weights], lr=0.1, momentum=0.5, differentiable=True)
    for _ in range(STEPS):
        loss = F.mse_loss(x @ weights, y) + (decay * weights**2).sum()
        (weights.grad,) = torch.autograd.grad(loss, weights, create_graph=True)
        optimizer.step()
    return weights


def main():
    arguments = options(__doc__, "hyper_gradients")
    torch.manual_seed(arguments.seed)
    truth = torch.cat([torch.ones(USEFUL), torch.zeros(FEATURES - USEFUL)])
    training, held_out, test = (examples(count, truth) for count in (50, 100, 1000))

    log_decay = torch.full((FEATURES,), -3.0, requires_grad=True)
    outer = optim.Adam([log_decay], lr=0.2)
    rounds = 25 if arguments.quick else 60
    losses = []
    for number in range(1, rounds + 1):
        weights = train(log_decay.exp(), *training)
        loss = F.mse_loss(held_out[0] @ weights, held_out[1])
        outer.zero_grad()
        loss.backward()
        outer.step()
        losses.append(loss.item())
        progress(number, rounds, f"held-out loss {losses[-1]:.4f}")

    # The gradient against a difference, in one direction.
    direction = torch.randn(FEATURES).double()
    exact = [part.double() for part in (*training, *held_out)]

    def outer_loss(log_decay):
        return F.mse_loss(exact[2] @ train(log_decay.exp(), *exact[:2]), exact[3])

    torch.set_default_dtype(torch.float64)
    point = log_decay.detach().double()
    _, slope = torch.autograd.functional.jvp(outer_loss, point, direction)
    step = 1e-5 * direction
    difference = (outer_loss(point + step) - outer_loss(point - step)) / 2e-5
    print(f"slope {slope.item():.8f}, by a difference {difference.item():.8f}")
    torch.set_default_dtype(torch.float32)

    decay = log_decay.detach().exp()

    def draw(axes):
        axes[0].plot(losses)
        axes[0].set(xlabel="round", ylabel="held-out loss")
        axes[1].bar(range(FEATURES), decay.numpy(), color=["tab:blue"] * USEFUL + ["0.7"] * (FEATURES - USEFUL))
        axes[1].set(xlabel="feature", ylabel="learnt decay", yscale="log", title="blue: features that matter")

    picture(arguments.out / "hyper_gradients.png", draw, 1, 2, figsize=(10, 3.5))
    before, after = (
        F.mse_loss(test[0] @ train(each, *training), test[1]).item()
        for each in (torch.full((FEATURES,), -3.0).exp(), decay)
    )
    print(f"decay of the features that matter {decay[:USEFUL].mean():.3f}, of the others {decay[USEFUL:].mean():.3f}")
    reached("test loss by that before", after / before, 0.75, is_less=True)


if __name__ == "__main__":
    main()
