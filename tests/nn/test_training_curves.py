"""Fifty steps of small models from the same seed: every loss is PyTorch's."""

import numpy as np
import pytest

import pullback

STEPS = 50


def perceptron(torch):
    nn = torch.nn
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 16), nn.GELU(), nn.LayerNorm(16), nn.Linear(16, 3))
    x, y = torch.randn(64, 8), torch.randint(0, 3, (64,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True)
    return model, optimizer, lambda step: nn.functional.cross_entropy(model(x), y, label_smoothing=0.1)


def convolutional(torch):
    nn = torch.nn
    model = nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(0.2)),
        *(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3)),
        nn.Linear(8, 4),
    )
    x, y = torch.randn(16, 1, 8, 8), torch.randint(0, 4, (16,))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    return model, optimizer, lambda step: nn.functional.cross_entropy(model(x), y)


class Recurrent:
    """A model over sequences of tokens: embedding, LSTM of two layers with dropout, output."""

    def __new__(cls, torch):
        class Model(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.embedding = torch.nn.Embedding(11, 8)
                self.lstm = torch.nn.LSTM(8, 12, num_layers=2, dropout=0.2, batch_first=True)
                self.output = torch.nn.Linear(12, 11)

            def forward(self, tokens):
                return self.output(self.lstm(self.embedding(tokens))[0])

        return Model()


def recurrent(torch):
    model = Recurrent(torch)
    tokens = torch.randint(0, 11, (8, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)

    def loss(step):
        logits = model(tokens[:, :-1])
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())

    return model, optimizer, loss


def transformer(torch):
    nn = torch.nn
    layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.1, batch_first=True, norm_first=True, activation="gelu")
    model = nn.ModuleDict(
        {
            "tokens": nn.Embedding(11, 16),
            "places": nn.Embedding(9, 16),
            "encoder": nn.TransformerEncoder(layer, 2, enable_nested_tensor=False),
            "output": nn.Linear(16, 11),
        }
    )
    tokens = torch.randint(0, 11, (4, 10))
    mask = nn.Transformer.generate_square_subsequent_mask(9)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)

    def loss(step):
        if step:
            schedule.step()
        hidden = model["tokens"](tokens[:, :-1]) + model["places"](torch.arange(9))
        logits = model["output"](model["encoder"](hidden, mask=mask, is_causal=True))
        return nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())

    return model, optimizer, loss


def curve(torch, build):
    """The losses of all steps."""
    torch.manual_seed(0)
    model, optimizer, loss_of = build(torch)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(step)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("build", [perceptron, convolutional, recurrent, transformer], ids=lambda f: f.__name__)
def test_every_loss_of_fifty_steps_is_pytorchs(build, torch):
    ours, theirs = curve(pullback, build), curve(torch, build)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    assert theirs[-1] < theirs[0]
