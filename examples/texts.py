"""The text that the language models read: Python's own documentation, which comes with Python as `pydoc_data`."""

import math
from pydoc_data.topics import topics

import torch
import torch.nn.functional as F


def read_text(size):
    """The first characters of the documentation's topics, as numbers, and the alphabet."""
    text = "\n".join(topics[name] for name in sorted(topics))[:size]
    alphabet = sorted(set(text))
    number = {character: i for i, character in enumerate(alphabet)}
    return torch.tensor([number[character] for character in text]), alphabet


def windows(text, count, length):
    """Random pieces of the text, and the same pieces one character later."""
    places = torch.randint(len(text) - length - 1, (count, 1)) + torch.arange(length)
    return text[places], text[places + 1]


def bits(scores, following):
    """The mean number of bits that a character needs where a model gives these scores."""
    return F.cross_entropy(scores.flatten(0, 1), following.flatten()) / math.log(2)


def held_out_pieces(text, length):
    """A text cut into pieces, and the same pieces one character later."""
    count = (len(text) - 1) // length
    return text[: count * length].view(count, length), text[1 : count * length + 1].view(count, length)
