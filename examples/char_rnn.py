"""A language model of characters: an LSTM, GRU or RNN reads Python's own documentation, which comes with Python.

    pullback run examples/char_rnn.py [--cell lstm|gru|rnn] [--quick] [--seed 0] [--out out/char_rnn]

It learns to say the next character, is measured in bits a character on text that it has not seen, and writes a passage of
its own.
"""

import math

import torch
import torch.nn.functional as F
from showing import options, picture, progress, reached
from texts import bits, held_out_pieces, read_text, windows
from torch import nn, optim

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


class CharacterModel(nn.Module):
    """Characters to vectors, a recurrent layer over them, and scores of what comes next."""

    def __init__(self, characters, cell, width):
        super().__init__()
        self.embed = nn.Embedding(characters, 32)
        self.rnn = CELLS[cell](32, width, batch_first=True)
        self.score = nn.Linear(width, characters)

    def forward(self, text, state=None):
        seen, state = self.rnn(self.embed(text), state)
        return self.score(seen), state


@torch.no_grad()
def write(model, alphabet, start, length, temperature=0.7):
    """Let the model go on from a start, drawing one character after the other."""
    scores, state = model(torch.tensor([[alphabet.index(character) for character in start]]))
    written = start
    for _ in range(length):
        drawn = torch.multinomial(F.softmax(scores[:, -1] / temperature, -1), 1)
        written += alphabet[drawn.item()]
        scores, state = model(drawn, state)
    return written


def main():
    arguments = options(__doc__, "char_rnn", cell=tuple(CELLS))
    torch.manual_seed(arguments.seed)
    size, steps, width = (20_000, 50, 64) if arguments.quick else (200_000, 600, 128)
    text, alphabet = read_text(size)
    training, held_out = text[: size * 9 // 10], text[size * 9 // 10 :]
    model = CharacterModel(len(alphabet), arguments.cell, width)
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    print(f"{size:,} characters of {len(alphabet)} kinds; at random, each needs {math.log2(len(alphabet)):.2f} bits")

    losses = []
    for step in range(1, steps + 1):
        pieces, following = windows(training, 16, 32)
        loss = bits(model(pieces)[0], following)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        progress(step, steps, f"{losses[-1]:.3f} bits a character")

    print(write(model, alphabet, "The ", 60 if arguments.quick else 300))

    def draw(axes):
        axes.plot(losses)
        axes.set(xlabel="step", ylabel="bits a character", title=f"{arguments.cell.upper()} on Python's documentation")

    picture(arguments.out / "char_rnn.png", draw, figsize=(7, 4))
    pieces, following = held_out_pieces(held_out, 100)
    with torch.no_grad():
        needed = bits(model(pieces)[0], following).item()
    reached("bits a character of text that was not seen", needed, 4.5 if arguments.quick else 3.2, is_less=True)


if __name__ == "__main__":
    main()
