"""Per-sample gradients by `vmap(grad(...))`: which labels are wrong, and training that tells little of any one sample.

    pullback run examples/per_sample_gradients.py [--quick] [--seed 0] [--out out/per_sample_gradients]

One digit in twenty gets a wrong label. A sample whose gradient is long is one that the model cannot make sense of, so the
longest gradients point to the wrong labels. Each gradient is also clipped on its own, and noise is added to their sum, as
in DP-SGD (Abadi et al., 2016): no sample can move the weights by much.
"""

import torch
import torch.nn.functional as F
from showing import images_on, options, picture, progress, reached
from sklearn.datasets import load_digits
from torch import nn
from torch.func import functional_call, grad, vmap

CLIP, NOISE = 1.0, 0.5


def main():
    arguments = options(__doc__, "per_sample_gradients")
    torch.manual_seed(arguments.seed)
    digits = load_digits()
    order = torch.randperm(len(digits.target))[: 600 if arguments.quick else None]
    images = torch.tensor(digits.data, dtype=torch.float32)[order] / 16
    true = torch.tensor(digits.target)[order]
    is_wrong = torch.rand(len(true)) < 0.05
    labels = torch.where(is_wrong, (true + torch.randint(1, 10, true.shape)) % 10, true)
    model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    weights = {name: p.detach().clone() for name, p in model.named_parameters()}

    def loss(weights, image, label):
        return F.cross_entropy(functional_call(model, weights, (image,)), label)

    per_sample = vmap(grad(loss), (None, 0, 0))

    def lengths(gradients):
        """The length of each sample's gradient, over all weights."""
        return sum(g.flatten(1).square().sum(1) for g in gradients.values()).sqrt()

    # They are what one backward pass a sample gives.
    found = per_sample(weights, images[:5], labels[:5])
    for i in range(5):
        model.zero_grad()
        F.cross_entropy(model(images[i]), labels[i]).backward()
        for name, p in model.named_parameters():
            torch.testing.assert_close(found[name][i], p.grad)
    print(
        f"{len(labels)} samples, {is_wrong.sum().item()} with a wrong label; per-sample gradients agree with a loop's"
    )

    steps, size = 100 if arguments.quick else 400, 128
    for step in range(1, steps + 1):
        chosen = torch.randint(len(images), (size,))
        gradients = per_sample(weights, images[chosen], labels[chosen])
        shrink = (CLIP / (lengths(gradients) + 1e-6)).clamp(max=1)
        for name, g in gradients.items():
            clipped = torch.einsum("b,b...->...", shrink, g)
            weights[name] -= 1.0 / size * (clipped + NOISE * CLIP * torch.randn_like(clipped))
        if step % 5 == 0 or step == steps:
            scores = functional_call(model, weights, (images,))
            progress(step, steps, f"reads {(scores.argmax(1) == true).float().mean().item():.1%} of the digits")

    length = lengths(per_sample(weights, images, labels))
    suspects = length.argsort(descending=True)[: is_wrong.sum()]

    def draw(grid):
        images_on(grid, images[suspects[:20]].view(-1, 8, 8).numpy())
        for axes, i in zip(grid.flat, suspects.tolist(), strict=False):
            axes.set_title(f"“{labels[i]}”", fontsize=8, color="tab:red" if is_wrong[i] else "black")

    picture(arguments.out / "per_sample_gradients.png", draw, 2, 10, figsize=(9, 2.6))
    right = is_wrong[suspects].float().mean().item()
    reached("share of wrong labels among the longest gradients", right, 0.5 if arguments.quick else 0.7)


if __name__ == "__main__":
    main()
