"""REINFORCE: a policy learns to balance a pole on a cart, after Williams (1992).

    pullback run examples/reinforce.py [--quick] [--seed 0] [--out out/reinforce]

Thirty-two carts run at once. The gradient of the expected return is that of the logarithm of the chance of what was done,
times what came of it, compared with what came of it elsewhere at the same time.
"""

import torch
from showing import options, picture, progress, reached
from torch import nn, optim
from torch.distributions import Bernoulli

LONGEST = 100  # steps of an episode


class Carts:
    """Carts with a pole each (Barto, Sutton and Anderson, 1983): push left or right, until the pole falls."""

    def __init__(self, count):
        self.state = 0.1 * torch.rand(count, 4) - 0.05  # place, speed, angle, speed of the angle

    def push(self, right):
        """Push each cart to one side for a fiftieth of a second; returns which poles still stand."""
        _, v, angle, turning = self.state.unbind(-1)
        force = 20 * right - 10
        sine, cosine = angle.sin(), angle.cos()
        pushed = (force + 0.05 * turning**2 * sine) / 1.1
        faster = (9.8 * sine - cosine * pushed) / (0.5 * (4 / 3 - 0.1 * cosine**2 / 1.1))
        change = torch.stack([v, pushed - 0.05 * faster * cosine / 1.1, turning, faster], -1)
        self.state = self.state + 0.02 * change
        return (self.state[:, 0].abs() < 2.4) & (self.state[:, 2].abs() < 0.21)


def episodes(policy, count):
    """Run carts to the end: the logarithms of the chances of what was done, and what was earned, by step and cart."""
    carts, stands = Carts(count), torch.ones(count, dtype=torch.bool)
    chances, earned = [], []
    while stands.any() and len(earned) < LONGEST:
        choice = Bernoulli(logits=policy(carts.state).squeeze(-1))
        right = choice.sample()
        chances.append(choice.log_prob(right) * stands)
        stands = stands & carts.push(right)
        earned.append(stands.float())
    return torch.stack(chances), torch.stack(earned)


def returns(earned, discount=0.98):
    """What is earned from each step on, later rewards counting less."""
    later, found = torch.zeros_like(earned[0]), []
    for reward in earned.flip(0):
        later = reward + discount * later
        found.append(later)
    return torch.stack(found).flip(0)


def main():
    arguments = options(__doc__, "reinforce")
    torch.manual_seed(arguments.seed)
    policy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = optim.Adam(policy.parameters(), lr=2e-2)
    rounds = 30 if arguments.quick else 120
    lengths = []
    for number in range(1, rounds + 1):
        chances, earned = episodes(policy, 32)
        worth = returns(earned)
        worth = (worth - worth.mean(1, keepdim=True)) / (worth.std() + 1e-6)
        loss = -(chances * worth).sum() / 32
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        lengths.append(earned.sum(0).mean().item())
        progress(number, rounds, f"the poles stand for {lengths[-1]:.1f} steps")

    def draw(axes):
        axes.plot(lengths)
        axes.set(xlabel="round", ylabel="steps until the pole falls", ylim=(0, LONGEST), title="REINFORCE on 32 carts")

    picture(arguments.out / "reinforce.png", draw, figsize=(7, 4))
    final = sum(lengths[-5:]) / 5
    reached(f"steps that the poles stand, of {LONGEST}", final, 50 if arguments.quick else 90)


if __name__ == "__main__":
    main()
