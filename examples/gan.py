"""A generative adversarial network on digits, after Goodfellow et al. (2014).

    pullback run examples/gan.py [--quick] [--seed 0] [--out out/gan]

A forger draws images from noise, a critic tells them from real ones, and each learns from the other. How far the forgeries
are from real images is measured by a distance between distributions that neither of them knows.
"""

import torch
import torch.nn.functional as F
from showing import images_on, options, picture, progress, reached
from sklearn.datasets import load_digits
from torch import nn, optim


def forger(noise=16):
    return nn.Sequential(
        nn.Linear(noise, 128),
        nn.BatchNorm1d(128),
        nn.ReLU(),
        nn.Linear(128, 128),
        nn.ReLU(),
        nn.Linear(128, 64),
        nn.Sigmoid(),
    )


def critic():
    return nn.Sequential(
        nn.Linear(64, 128), nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Linear(128, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1)
    )


def distance(a, b):
    """The energy distance between two sets of images (Székely): zero exactly where they have the same distribution."""
    return (2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()).item()


def main():
    arguments = options(__doc__, "gan")
    torch.manual_seed(arguments.seed)
    images = torch.tensor(load_digits().data, dtype=torch.float32) / 16
    draws, doubts = forger(), critic()
    learn_to_draw = optim.Adam(draws.parameters(), lr=2e-3, betas=(0.5, 0.999))
    learn_to_doubt = optim.Adam(doubts.parameters(), lr=2e-3, betas=(0.5, 0.999))
    print(f"noise is {distance(torch.rand(500, 64), images[:500]):.3f} from the digits, and these")
    print(f"{distance(images[:500], images[500:1000]):.3f} from others of their kind")

    steps, size = 500 if arguments.quick else 3000, 64
    true, false = torch.full((size, 1), 0.9), torch.zeros(size, 1)  # never too sure of what is true
    curves = []
    for step in range(1, steps + 1):
        real = images[torch.randint(len(images), (size,))]
        forged = draws(torch.randn(size, 16))
        # detached: the critic's lesson is none for the forger
        lesson = F.binary_cross_entropy_with_logits(doubts(real), true)
        lesson = lesson + F.binary_cross_entropy_with_logits(doubts(forged.detach()), false)
        learn_to_doubt.zero_grad()
        lesson.backward()
        learn_to_doubt.step()

        fooled = F.binary_cross_entropy_with_logits(doubts(forged), torch.ones(size, 1))
        learn_to_draw.zero_grad()
        fooled.backward()
        learn_to_draw.step()
        curves.append((lesson.item(), fooled.item()))
        progress(step, steps, f"critic {lesson.item():.3f}   forger {fooled.item():.3f}")

    draws.eval()
    with torch.no_grad():
        forged = draws(torch.randn(500, 16))
    picture(
        arguments.out / "gan.png", lambda grid: images_on(grid, forged.view(-1, 8, 8).numpy()), 4, 12, figsize=(9, 3.2)
    )
    goal = 1.3 if arguments.quick else 0.4
    reached("energy distance of the forgeries from the digits", distance(forged, images[:500]), goal, is_less=True)


if __name__ == "__main__":
    main()
