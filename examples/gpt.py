"""A small GPT: a transformer that reads Python's own documentation, which comes with Python, and writes on.

    pullback run examples/gpt.py [--quick] [--seed 0] [--out out/gpt]

Each place attends to those before it. The model is measured in bits a character on text that it has not seen. The picture
shows how it learnt, and what the last place of a line attends to.
"""

import math

import torch
import torch.nn.functional as F
from showing import options, picture, progress, reached
from texts import bits, held_out_pieces, read_text, windows
from torch import nn, optim


class Block(nn.Module):
    """Attention to what stands before, then a small network at each place."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_thought = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.think = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def parts(self, x):
        """Queries, keys and values, each of shape (batch, head, place, width of a head)."""
        return self.project(self.before_attention(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)

    def forward(self, x):
        seen = F.scaled_dot_product_attention(*self.parts(x), is_causal=True)
        x = x + self.join(seen.transpose(1, 2).flatten(2))
        return x + self.think(self.before_thought(x))


class GPT(nn.Module):
    def __init__(self, characters, length, width=48, heads=4, depth=2):
        super().__init__()
        self.length = length
        self.token = nn.Embedding(characters, width)
        self.place = nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.score = nn.Linear(width, characters, bias=False)
        self.score.weight = self.token.weight  # the same vectors read and write
        nn.init.normal_(self.token.weight, std=0.1)

    def embed(self, text):
        return self.token(text) + self.place[: text.shape[1]]

    def forward(self, text):
        return self.score(self.norm(self.blocks(self.embed(text))))


@torch.no_grad()
def write(model, alphabet, start, length, temperature=0.7):
    """Let the model go on from a start, drawing one character after the other."""
    numbers = torch.tensor([[alphabet.index(character) for character in start]])
    for _ in range(length):
        scores = model(numbers[:, -model.length :])[:, -1]
        numbers = torch.cat([numbers, torch.multinomial(F.softmax(scores / temperature, -1), 1)], 1)
    return "".join(alphabet[number] for number in numbers[0].tolist())


def main():
    arguments = options(__doc__, "gpt")
    torch.manual_seed(arguments.seed)
    size, steps, batch, length = (20_000, 60, 8, 32) if arguments.quick else (200_000, 800, 16, 64)
    text, alphabet = read_text(size)
    training, held_out = text[: size * 9 // 10], text[size * 9 // 10 :]
    model = GPT(len(alphabet), length)
    optimizer = optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.01)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    print(
        f"{sum(p.numel() for p in model.parameters()):,} weights; at random, {math.log2(len(alphabet)):.2f} bits a character"
    )

    losses = []
    for step in range(1, steps + 1):
        pieces, following = windows(training, batch, length)
        loss = bits(model(pieces), following)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        progress(step, steps, f"{losses[-1]:.3f} bits a character")

    print(write(model, alphabet, "The ", 60 if arguments.quick else 300))
    pieces, following = held_out_pieces(held_out, length)
    with torch.no_grad():
        needed = bits(model(pieces), following).item()
        queries, keys, _ = model.blocks[0].parts(model.embed(pieces[:1]))[:, 0]  # of each head
        attention = F.softmax(queries[:, -1:] @ keys.mT / keys.shape[-1] ** 0.5, -1)[:, 0]

    def draw(axes):
        axes[0].plot(losses)
        axes[0].set(xlabel="step", ylabel="bits a character")
        axes[1].imshow(attention.numpy(), aspect="auto", cmap="Blues")
        axes[1].set_xticks(range(length), [alphabet[number] for number in pieces[0].tolist()], fontsize=6)
        axes[1].set(ylabel="head", title="what the last place attends to")

    picture(arguments.out / "gpt.png", draw, 1, 2, figsize=(11, 3.5))
    reached("bits a character of text that was not seen", needed, 4.5 if arguments.quick else 3.4, is_less=True)


if __name__ == "__main__":
    main()
