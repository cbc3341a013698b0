"""Fine-tune a checkpoint: a convolutional network learns the digits 0 to 4, then the digits 5 to 9 from few images.

    pullback run examples/finetune.py [--quick] [--seed 0] [--out out/finetune]

The features that the first network found are written as safetensors, loaded into a second network with a fresh head, and
kept as they are while the head learns from eight images a digit. The same network from scratch, for as many steps, is
what this has to beat.
"""

import torch
import torch.nn.functional as F
from safetensors.numpy import load_file, save_file
from showing import images_on, options, picture, progress, reached
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset


def network():
    """A network of two convolutions with batch normalisation, and a head for five digits."""
    features = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
    )
    return nn.ModuleDict({"features": features, "head": nn.Linear(32 * 4 * 4, 5)})


def scores(model, images):
    return model["head"](model["features"](images))


def train(model, images, labels, epochs, name):
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = optim.Adam(parameters, lr=3e-3)
    for epoch in range(1, epochs + 1):
        for x, y in DataLoader(TensorDataset(images, labels), batch_size=32, shuffle=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(scores(model, x), y)
            loss.backward()
            optimizer.step()
        progress(epoch, epochs, f"{name}: loss {loss.item():.4f}")


@torch.no_grad()
def read(model, images):
    model.eval()
    return scores(model, images).argmax(1)


def accuracy(model, images, labels):
    return (read(model, images) == labels).float().mean().item()


def main():
    arguments = options(__doc__, "finetune")
    torch.manual_seed(arguments.seed)
    digits = load_digits()
    images, labels = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16, torch.tensor(digits.target)
    low, high = (images[labels < 5], labels[labels < 5]), (images[labels >= 5], labels[labels >= 5] - 5)
    few = torch.cat([torch.nonzero(high[1] == digit)[:8, 0] for digit in range(5)])
    rest = torch.ones(len(high[1]), dtype=torch.bool)
    rest[few] = False
    epochs = 2 if arguments.quick else 10

    pretrained = network()
    train(pretrained, *low, epochs, "digits 0 to 4")
    checkpoint = arguments.out / "features.safetensors"
    save_file({name: t.detach().numpy() for name, t in pretrained["features"].state_dict().items()}, checkpoint)
    print(f"wrote {checkpoint}")

    tuned, scratch = network(), network()
    tuned["features"].load_state_dict({name: torch.tensor(array) for name, array in load_file(checkpoint).items()})
    tuned["features"].requires_grad_(False).eval()  # the running statistics stay, too
    train(tuned, high[0][few], high[1][few], 6 * epochs, "digits 5 to 9, fine-tuned")
    train(scratch, high[0][few], high[1][few], 6 * epochs, "digits 5 to 9, from scratch")

    held_out = high[0][rest], high[1][rest]
    from_scratch = accuracy(scratch, *held_out)
    print(f"from scratch, {from_scratch:.2%} of {len(held_out[1])} held-out images are read")
    what = read(tuned, held_out[0]) + 5

    def draw(grid):
        images_on(grid, held_out[0][:40, 0].numpy())
        for axes, digit in zip(grid.flat, what, strict=False):
            axes.set_title(str(digit.item()), fontsize=8)

    picture(arguments.out / "finetune.png", draw, 4, 10, figsize=(9, 4.5))
    reached(
        "accuracy of the fine-tuned network on held-out images", accuracy(tuned, *held_out), max(0.88, from_scratch)
    )


if __name__ == "__main__":
    main()
