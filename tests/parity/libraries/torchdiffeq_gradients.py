"""torchdiffeq: solutions of an ODE by each solver, direct and adjoint gradients, and the time of an event."""

import torch
from torch import nn
from torchdiffeq import odeint, odeint_adjoint, odeint_event

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)


class Field(nn.Module):
    """A velocity that a small network gives at each place; it counts how often it is asked."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
        self.calls = 0

    def forward(self, t, y):
        self.calls += 1
        return self.net(y**3) - 0.1 * t * y


field = Field()
start = torch.tensor([[2.0, 0.0], [1.0, 0.5]], requires_grad=True)
times = torch.linspace(0, 1, 5, requires_grad=True)


def tell(name, solve, **options):
    inputs = [start, times, *field.parameters()]
    path = solve(field, start, times, **options)
    loss = path[-1].square().sum() + path[2].sum()
    gradients = torch.autograd.grad(loss, inputs)
    print(name, solve.__name__, path[-1].flatten().tolist(), [gradient.norm().item() for gradient in gradients])


for method in ("euler", "midpoint", "heun3", "rk4", "explicit_adams", "implicit_adams"):
    tell(method, odeint, method=method, options={"step_size": 0.05})
for method in ("dopri5", "dopri8", "bosh3", "fehlberg2", "adaptive_heun"):
    tell(method, odeint, method=method, rtol=1e-5, atol=1e-7)
for method in ("rk4", "dopri5"):
    tell(method, odeint_adjoint, method=method, rtol=1e-6, atol=1e-8, adjoint_rtol=1e-7)
print("calls", field.calls)

# A state of several tensors, with time running backwards.
pair = odeint(lambda t, state: (-state[1], state[0]), (start, torch.ones(3, 1)[:, 0].new_ones(2, 2)), times.flip(0))
print("pair", [part[-1].flatten().tolist() for part in pair])

# When does a falling ball reach the floor?
height = torch.tensor(10.0, requires_grad=True)
state = torch.stack([height, torch.tensor(0.0)])
fall = lambda t, y: torch.stack([y[1], torch.tensor(-9.81)])
time, path = odeint_event(fall, state, torch.tensor(0.0), event_fn=lambda t, y: y[0], rtol=1e-9, atol=1e-9)
print("event", time.item(), path[-1].tolist(), torch.autograd.grad(time, height)[0].item())

try:
    odeint(field, start, torch.tensor([0.0, 0.0]))
except AssertionError as error:
    print("AssertionError", error)
