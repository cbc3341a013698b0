"""A variational autoencoder: it learns to draw digits, after Kingma and Welling (2013).

    pullback run examples/vae.py [--quick] [--seed 0] [--out out/vae]

An encoder gives each image a cloud in eight dims, a decoder draws it again from a point of the cloud, and both are trained
on the evidence lower bound. The picture shows images, what became of them, and digits that never were.
"""

import torch
import torch.nn.functional as F
from showing import images_on, options, picture, progress, reached
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.distributions import Normal, kl_divergence
from torch.utils.data import DataLoader, TensorDataset


class Autoencoder(nn.Module):
    """Images to clouds of `latent` dims, and points to images."""

    def __init__(self, latent=8, width=128):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(64, width), nn.SiLU(), nn.Linear(width, 2 * latent))
        self.decode = nn.Sequential(nn.Linear(latent, width), nn.SiLU(), nn.Linear(width, 64))

    def forward(self, images):
        mean, log_scale = self.encode(images).chunk(2, dim=-1)
        cloud = Normal(mean, log_scale.exp())
        return self.decode(cloud.rsample()), cloud


def bound(model, images):
    """The mean negative evidence lower bound of an image, in nats."""
    drawn, cloud = model(images)
    unlikely = F.binary_cross_entropy_with_logits(drawn, images, reduction="sum")
    return (unlikely + kl_divergence(cloud, Normal(0.0, 1.0)).sum()) / len(images)


def main():
    arguments = options(__doc__, "vae")
    torch.manual_seed(arguments.seed)
    images = torch.tensor(load_digits().data, dtype=torch.float32) / 16
    images = images[torch.randperm(len(images))]
    held_out, training = images[:300], images[300:]
    model = Autoencoder()
    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    with torch.no_grad():
        print(f"before training: {bound(model, held_out).item():.2f} nats an image")

    epochs = 8 if arguments.quick else 60
    curve = []
    for epoch in range(1, epochs + 1):
        for (batch,) in DataLoader(TensorDataset(training), batch_size=64, shuffle=True):
            loss = bound(model, batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            curve.append(bound(model, held_out).item())
        progress(epoch, epochs, f"{curve[-1]:.2f} nats an image")

    with torch.no_grad():
        drawn = model(held_out[:12])[0].sigmoid()
        dreams = model.decode(torch.randn(24, 8)).sigmoid()
    page = torch.cat([held_out[:12], drawn, dreams]).view(-1, 8, 8).numpy()
    picture(arguments.out / "vae.png", lambda grid: images_on(grid, page), 4, 12, figsize=(9, 3.2))
    goal = 27.5 if arguments.quick else 24.8
    reached("negative evidence lower bound of unseen images, in nats", curve[-1], goal, is_less=True)


if __name__ == "__main__":
    main()
