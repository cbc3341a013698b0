"""torchinfo: tables of layers, with the sizes, weights and multiplications that its forward hooks count."""

import torch
from torch import nn
from torchinfo import ModelStatistics, summary

ALL = ("input_size", "output_size", "num_params", "params_percent", "kernel_size", "mult_adds", "trainable")

cnn = nn.Sequential(
    nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 13 * 13, 10)
)
cnn[0].requires_grad_(False)
print(summary(cnn, input_size=(4, 1, 28, 28), verbose=0, col_names=ALL, row_settings=("depth", "var_names")))
print(summary(cnn, input_data=torch.ones(2, 1, 28, 28), verbose=0, cache_forward_pass=True))
print(summary(cnn, verbose=0))


class Shared(nn.Module):
    """One layer, used twice, on two inputs, one of which is optional."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 6)
        self.scale = nn.Parameter(torch.ones(6))
        self.blocks = nn.ModuleDict({"a": nn.Linear(6, 2), "unused": nn.Linear(6, 3)})

    def forward(self, first, second=None, factor=1.0):
        first = self.layer(self.layer(first)) * self.scale * factor
        return self.blocks["a"](first if second is None else first + second)


print(summary(Shared(), input_size=[(3, 6), (3, 6)], verbose=0, depth=5, factor=2.0))
print(summary(Shared(), input_data={"first": torch.ones(3, 6)}, verbose=0, depth=1))
print(summary(nn.LSTM(5, 8, 2), input_size=(7, 3, 5), verbose=0, col_names=ALL))
print(summary(nn.Embedding(10, 4), input_size=(2, 5), dtypes=[torch.long], verbose=0))
encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2)
print(summary(encoder, input_size=(7, 3, 16), verbose=0, depth=4, mode="train"))

found = summary(cnn, input_size=(4, 1, 28, 28), verbose=0)
print(isinstance(found, ModelStatistics), found.total_params, found.trainable_params, found.total_mult_adds)
try:
    summary(cnn, input_size=(4, 2, 28, 28), verbose=0)
except RuntimeError as error:
    print("RuntimeError", str(error)[:40])
