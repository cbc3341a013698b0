"""Running a program, a list of statements in source, on one library; and what it leaves to look at."""

import warnings
from contextlib import contextmanager

PREAMBLE = """\
log = []


def record(name):
    def hook(grad):
        log.append((name, grad.detach().clone()))

    return hook


def scale(name, factor):
    def hook(grad):
        log.append((name, grad.detach().clone()))
        return grad * factor

    return hook


def note(name):
    def hook(tensor):
        log.append((name, tensor.grad.detach().clone()))

    return hook
"""
_preamble = compile(PREAMBLE, "<preamble>", "exec")
_codes: dict = {}


def code_of(statement):
    """A statement compiled; the common ones are kept, for the two libraries and for shrinking."""
    if statement not in _codes:
        if len(_codes) > 5000:
            _codes.clear()
        _codes[statement] = compile(statement, "<fuzz>", "exec")
    return _codes[statement]


class Run:
    """A program in progress on one library."""

    def __init__(self, torch):
        self.torch = torch
        self.scope = {"torch": torch}
        self.is_rough = False  # it has float32 somewhere
        self.first_seen = {}  # by name: the tensor, and its version then
        exec(_preamble, self.scope)

    def do(self, statement):
        """Run one statement; return what it raised, or None."""
        self.is_rough |= "float32" in statement
        try:
            exec(code_of(statement), self.scope)
        except Exception as error:
            return error.with_traceback(None)
        return None

    def tensors(self):
        """The tensors that the program has names for, in the order of their making."""
        kind = self.torch.Tensor
        return {name: value for name, value in self.scope.items() if isinstance(value, kind)}

    def forget_grads(self):
        """A pass that fails leaves PyTorch's gradients half done, and Pullback's as they were: both start anew."""
        for tensor in self.tensors().values():
            if tensor._grad is not None:
                tensor.grad = None

    def versions(self):
        """How often each tensor was written since it was first seen under its name."""
        found = {}
        for name, tensor in self.tensors().items():
            try:
                version = tensor._version
            except RuntimeError:  # an inference tensor
                continue
            before = self.first_seen.get(name)
            if before is None or before[0] is not tensor:
                before = self.first_seen[name] = tensor, version
            found[name] = version - before[1]
        return found


@contextmanager
def quiet():
    """Without warnings, which are none of the comparison's business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def as_script(statements):
    """A program as a script that runs on either library."""
    lines = ["import torch  # or: import pullback as torch", "", PREAMBLE]
    for statement in statements:
        lines.append(statement)
    return "\n".join(lines)
