"""One program, run by torch and by Pullback: what it returned, logged, warned of and raised must be the same."""

import warnings

import pullback


class Cases(dict):
    """Programs by the sentence that each shows; a program takes the library."""

    def __call__(self, sentence):
        def add(program):
            assert sentence not in self
            self[sentence] = program
            return program

        return add


def outcome(torch, program):
    """What a program did, in terms that do not depend on the library."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = shown(torch, program(torch))
        except Exception as error:
            return "raised", type(error), str(error)
    return "returned", result, [w.category for w in caught if "reference cycle" not in str(w.message)]


def shown(torch, value):
    """Values as plain Python, tensors with their dtype and whether they require grad."""
    if isinstance(value, torch.Tensor):
        return (value.detach().tolist(), str(value.dtype), value.requires_grad)
    if isinstance(value, (list, tuple)):
        return [shown(torch, v) for v in value]
    if isinstance(value, dict):
        return {k: shown(torch, v) for k, v in value.items()}
    return str(value) if isinstance(value, torch.dtype) else value


def compare(torch, program):
    """Assert that both libraries do the same; of errors, the type and how PyTorch's message begins."""
    expected, found = outcome(torch, program), outcome(pullback, program)
    if expected[0] == "raised":
        assert found[:2] == expected[:2], f"torch raises {expected[1:]}, Pullback did {found}"
        phrase = expected[2].split(".")[0].split("\n")[0][:60]
        assert phrase in found[2], f"torch says {expected[2]!r}, Pullback {found[2]!r}"
    else:
        assert found == expected, f"torch: {expected}\nPullback: {found}"
