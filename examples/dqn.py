"""Deep Q-learning: a network learns what each move is worth, after Mnih et al. (2015), in a game of catch.

    pullback run examples/dqn.py [--quick] [--seed 0] [--out out/dqn]

A ball falls through a field of six by five cells, and a paddle at the bottom moves left, stays, or moves right. The
network sees the field as an image, learns from a memory of moves, and is judged by a slower copy of itself.
"""

import copy
import random
from collections import deque

import torch
import torch.nn.functional as F
from showing import images_on, options, picture, progress, reached
from torch import nn, optim

HEIGHT, WIDTH = 6, 5


class Catch:
    """One ball and one paddle; a caught ball is worth 1, a missed one -1."""

    def __init__(self):
        self.ball, self.paddle = [0, random.randrange(WIDTH)], random.randrange(WIDTH)

    def field(self):
        field = torch.zeros(HEIGHT, WIDTH)
        field[self.ball[0], self.ball[1]] = 1
        field[-1, self.paddle] += 0.5
        return field

    def move(self, action):
        """Move the paddle by -1, 0 or 1 while the ball falls; returns the reward, and whether this was the end."""
        self.paddle = min(max(self.paddle + action - 1, 0), WIDTH - 1)
        self.ball[0] += 1
        is_over = self.ball[0] == HEIGHT - 1
        return (1.0 if self.ball[1] == self.paddle else -1.0) if is_over else 0.0, is_over


def network():
    return nn.Sequential(nn.Flatten(), nn.Linear(HEIGHT * WIDTH, 64), nn.ReLU(), nn.Linear(64, 3))


@torch.no_grad()
def best(worth, field):
    return worth(field[None]).argmax().item()


def lesson(worth, slow, moves, discount=0.95):
    """How far the worth of moves is from what they earned and what the slow copy says of what came then."""
    before, action, reward, after, is_over = zip(*moves, strict=True)
    chosen = worth(torch.stack(before)).gather(1, torch.tensor(action)[:, None])[:, 0]
    with torch.no_grad():
        goes_on = 1 - torch.tensor(is_over, dtype=torch.float32)
        target = torch.tensor(reward) + discount * goes_on * slow(torch.stack(after)).amax(1)
    return F.smooth_l1_loss(chosen, target)


def play(worth, games):
    """Play without chance moves: the share of balls that are caught, and the fields of the first game."""
    caught, fields = 0, []
    for number in range(games):
        game, is_over = Catch(), False
        while not is_over:
            if number == 0:
                fields.append(game.field())
            reward, is_over = game.move(best(worth, game.field()))
        caught += reward > 0
    return caught / games, fields


def main():
    arguments = options(__doc__, "dqn")
    torch.manual_seed(arguments.seed)
    random.seed(arguments.seed)
    worth = network()
    slow = copy.deepcopy(worth)
    optimizer = optim.Adam(worth.parameters(), lr=3e-3)
    memory = deque(maxlen=2000)
    games, rewards, losses = 300 if arguments.quick else 1500, [], []
    print(f"before training: {play(worth, 100)[0]:.0%} of the balls are caught")
    for number in range(1, games + 1):
        game, is_over = Catch(), False
        curious = max(0.05, 1 - 2 * number / games)
        while not is_over:
            before = game.field()
            action = random.randrange(3) if random.random() < curious else best(worth, before)
            reward, is_over = game.move(action)
            memory.append((before, action, reward, game.field(), is_over))
        rewards.append(reward)
        if len(memory) >= 64:
            for _ in range(2):
                loss = lesson(worth, slow, random.sample(memory, 64))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            losses.append(loss.item())
        if number % 20 == 0:
            slow.load_state_dict(worth.state_dict())
        progress(number, games, f"of the last 50 balls {rewards[-50:].count(1.0)} were caught")

    caught, fields = play(worth, 200)
    picture(arguments.out / "dqn.png", lambda grid: images_on(grid, fields), 1, len(fields), figsize=(9, 2.4))
    reached("share of the balls that are caught", caught, 0.8 if arguments.quick else 0.98)


if __name__ == "__main__":
    main()
