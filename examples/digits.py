"""Train a small convolutional network to read digits: 1,797 scanned images of 8×8 pixels, which scikit-learn ships.

    pullback run examples/digits.py [--epochs 20] [--seed 0] [--out out/digits] [--quick]

A fifth of the images is held out. The script shows its progress, writes the curve of the loss and a page of predictions
as PNG and the weights as safetensors, loads the weights into a fresh model, and checks that it predicts the same. It is
written in PyTorch's own words and runs under PyTorch as well.
"""

import argparse
import os
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset, random_split

GOAL = 0.97  # of the held-out images


def load_images():
    """The digits as a data set: images of shape (1, 8, 8) with values in [0, 1], and what they show."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise SystemExit(
            "digits.py: the images come with scikit-learn; install it with: pip install scikit-learn"
        ) from None
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    return TensorDataset(images, torch.tensor(digits.target, dtype=torch.int64))


class DigitReader(nn.Module):
    """Two convolutions, pooling, and two linear layers: 10 scores an image."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
        )
        self.classify = nn.Sequential(nn.Dropout(0.25), nn.Linear(32 * 4 * 4, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, images):
        return self.classify(self.features(images))


def train(model, training, held_out, epochs, report):
    """Train, and return the loss of every step."""
    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    losses = []
    for epoch in range(1, epochs + 1):
        model.train()
        for images, labels in DataLoader(training, batch_size=64, shuffle=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            report.step()
        schedule.step()
        report.epoch(epoch, sum(losses[-10:]) / len(losses[-10:]), accuracy(model, held_out))
    return losses


def predict(model, images):
    """The most likely digit of each image, and its probability."""
    model.eval()
    with torch.no_grad():
        probabilities = F.softmax(model(images), dim=1)
    return probabilities.argmax(dim=1), probabilities.amax(dim=1)


def accuracy(model, dataset):
    """The share of a data set's images that are read correctly."""
    images, labels = whole(dataset)
    return (predict(model, images)[0] == labels).float().mean().item()


def whole(dataset):
    """All images and labels of a data set, as one batch."""
    return next(iter(DataLoader(dataset, batch_size=len(dataset))))


# -- progress ----------------------------------------------------------------------------------------------------------


class Lines:
    """Progress as plain lines, one an epoch: for files, pipes, and terminals without rich."""

    def __init__(self, epochs, steps):
        self.epochs = epochs

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def step(self):
        pass

    def epoch(self, number, loss, correct):
        print(f"epoch {number:3}/{self.epochs}   loss {loss:.4f}   held out {correct:6.2%}", flush=True)


class Bar(Lines):
    """Progress as a live bar."""

    def __init__(self, epochs, steps):
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        super().__init__(epochs, steps)
        columns = BarColumn(), TextColumn("{task.percentage:3.0f} %"), TimeElapsedColumn(), TimeRemainingColumn()
        self.progress = Progress(TextColumn("{task.description}"), *columns)
        self.task = self.progress.add_task(f"epoch   1/{epochs}", total=steps)

    def __enter__(self):
        self.progress.start()
        return self

    def __exit__(self, *exc):
        self.progress.stop()

    def step(self):
        self.progress.advance(self.task)

    def epoch(self, number, loss, correct):
        text = f"epoch {number:3}/{self.epochs}   loss {loss:.4f}   held out {correct:6.2%}"
        self.progress.update(self.task, description=text)


def progress(epochs, steps):
    """A live bar on a terminal, plain lines elsewhere."""
    if sys.stdout.isatty():
        try:
            return Bar(epochs, steps)
        except ImportError:
            pass
    return Lines(epochs, steps)


# -- files -------------------------------------------------------------------------------------------------------------


@contextmanager
def complete(path):
    """A temporary path to write to, which becomes ``path`` once it is written; after an error, nothing is left of it."""
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def save_weights(model, path):
    from safetensors.numpy import save_file

    with complete(path) as temporary:
        save_file({name: tensor.numpy() for name, tensor in model.state_dict().items()}, temporary)


def load_weights(model, path):
    from safetensors.numpy import load_file

    model.load_state_dict({name: torch.tensor(array) for name, array in load_file(path).items()})


def draw_losses(losses, path):
    """The loss of every step, and its running mean."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    axes.semilogy(range(1, len(losses) + 1), losses, color="0.75", linewidth=0.8, label="each step")
    window = max(1, len(losses) // 25)
    smooth = [sum(losses[i - window : i]) / window for i in range(window, len(losses) + 1)]
    axes.semilogy(range(window, len(losses) + 1), smooth, color="tab:blue", label=f"mean of {window} steps")
    axes.set(xlabel="step", ylabel="cross entropy", title="Training on 1,438 scanned digits")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    with complete(path) as temporary:
        figure.savefig(temporary, dpi=120)
    plt.close(figure)


def draw_predictions(images, labels, predicted, probabilities, path, rows=6, columns=10):
    """A page of held-out images with what was read; what was misread comes first, in red."""
    import matplotlib.pyplot as plt

    order = sorted(range(len(labels)), key=lambda i: (predicted[i].item() == labels[i].item(), i))
    figure, grid = plt.subplots(rows, columns, figsize=(columns, rows * 1.25), layout="constrained")
    for i, axes in zip(order, grid.flat, strict=False):
        right = predicted[i].item() == labels[i].item()
        text = f"{predicted[i].item()}" if right else f"{predicted[i].item()}, not {labels[i].item()}"
        axes.imshow(images[i, 0].numpy(), cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(f"{text}\n{probabilities[i].item():.0%}", fontsize=8, color="black" if right else "tab:red")
    for axes in grid.flat:
        axes.axis("off")
    figure.suptitle("Held-out digits: what was read, and how surely", fontsize=11)
    with complete(path) as temporary:
        figure.savefig(temporary, dpi=120)
    plt.close(figure)


def draw(losses, held_out, model, folder):
    """Both pictures, where matplotlib is installed."""
    try:
        import matplotlib
    except ImportError:
        print("no pictures: matplotlib is not installed (pip install matplotlib)")
        return
    matplotlib.use("Agg")  # draws into files, on machines without a screen too
    images, labels = whole(held_out)
    draw_losses(losses, folder / "loss.png")
    draw_predictions(images, labels, *predict(model, images), folder / "predictions.png")
    print(f"wrote {folder / 'loss.png'} and {folder / 'predictions.png'}")


# -- the job -----------------------------------------------------------------------------------------------------------


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=20, help="passes over the training images (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the split, the weights and the order (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out/digits"), help="folder to write to (default: %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="two epochs, without a goal: to see whether it runs")
    arguments = parser.parse_args()
    if arguments.epochs < 1:
        parser.error(f"--epochs must be at least 1, got {arguments.epochs}")
    if arguments.quick:
        arguments.epochs = 2
    return arguments


def main():
    arguments = parse_arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(arguments.seed)
    digits = load_images()
    held_out, training = random_split(digits, [len(digits) // 5, len(digits) - len(digits) // 5])
    model = DigitReader()
    weights = sum(p.numel() for p in model.parameters())
    print(f"{len(training)} digits to learn from, {len(held_out)} held out; {weights:,} weights")

    start = time.perf_counter()
    with progress(arguments.epochs, arguments.epochs * -(-len(training) // 64)) as report:
        losses = train(model, training, held_out, arguments.epochs, report)
    seconds = time.perf_counter() - start
    correct = accuracy(model, held_out)
    print(f"read {correct:.2%} of the held-out digits correctly, after {seconds:.1f} s of training")

    path = arguments.out / "weights.safetensors"
    save_weights(model, path)
    fresh = DigitReader()
    load_weights(fresh, path)
    images, _ = whole(held_out)
    if not all((a == b).all() for a, b in zip(predict(model, images), predict(fresh, images), strict=True)):
        raise SystemExit(f"digits.py: the model loaded from {path} predicts something else")
    print(f"wrote {path}; loaded into a fresh model, it predicts the same")
    draw(losses, held_out, model, arguments.out)
    if correct < GOAL and not arguments.quick:
        raise SystemExit(f"digits.py: expected at least {GOAL:.0%} of the held-out digits, got {correct:.2%}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\ninterrupted; nothing half-written was left behind", file=sys.stderr)
        sys.exit(130)
