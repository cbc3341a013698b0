"""Divergences that are on purpose, each named after its entry in docs/differences.md.

A program ends where it diverges. Where PyTorch refuses what Pullback accepts, the result is still checked: PyTorch can
be made to save copies. (Its ``allow_mutation_on_saved_tensors`` gives wrong gradients where an operation saved its result.)
"""

import re

import numpy as np

from .compare import compare_runs, compare_values, flag_of
from .program import Run


def reason_for(outcome, mine, theirs):
    """The name of the deliberate difference that a divergence is, or None."""
    raised = outcome.errors if outcome.difference.aspect == "exception" else sides(outcome)
    mine_raised, theirs_raised = map(said, raised)
    for name, is_it in KNOWN.items():
        try:
            if is_it(outcome, mine_raised, theirs_raised, mine, theirs):
                return name
        except RuntimeError:
            pass  # looking at a tensor may raise what the program is about
    return None


def sides(outcome):
    return outcome.difference.mine, outcome.difference.theirs


def said(error):
    """What was raised, by the statement or by looking at the tensor after it; empty where nothing was."""
    return f"{type(error).__name__}: {error}" if isinstance(error, Exception) else ""


def multiple_views(outcome, mine, theirs, *runs):
    """Outputs of split, chunk and unbind may be written, and so may their base."""
    words = "is the output of a function that returns multiple views"
    return words in theirs and words not in mine


def not_stale(outcome, mine, theirs, ours, others):
    """A saved value is only stale where a part of it that a gradient needs was written."""
    words = "has been modified by an inplace operation"
    if words not in theirs or words in mine:
        return False
    run = Run(others.torch)
    with others.torch.autograd.graph.saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t):
        for at, statement in enumerate(outcome.statements):
            if "backward" in statement and (at in outcome.refused or run.do(statement) is not None):
                run.forget_grads()
            elif "backward" not in statement:
                run.do(statement)
            if outcome.often:
                look(run)
        if mine:
            ours.forget_grads()
            run.forget_grads()
        return next(compare_values(outcome.difference.at, ours, run), None) is None


def look(run):
    """Bring the histories of all views up to date, as the comparison does."""
    for tensor in run.tensors().values():
        flag_of(tensor, "is_leaf")


def stale_elsewhere(outcome, mine, theirs, *runs):
    """Both refuse, but PyTorch does so for a value that is not stale in Pullback, and before a hook, or before anything
    was freed."""
    if "backward through the graph a second time" in mine and (not theirs or "modified by an inplace" in theirs):
        return any(re.search(r"backward|autograd.grad", outcome.statements[at]) for at in outcome.refused)
    if outcome.difference.aspect != "hook calls" or len(outcome.statements) - 1 not in outcome.refused:
        return False
    mine, theirs = outcome.difference.mine, outcome.difference.theirs
    return mine[: len(theirs)] == theirs


def accumulated(outcome, mine, theirs, ours, others):
    """Adding to ``.grad`` is a write only where something else than the tensor holds its memory."""
    if outcome.difference.aspect not in ("_version", "is_leaf", "requires_grad"):
        return False
    tensor = others.tensors()[outcome.difference.name]
    tensors, text = others.tensors(), "\n".join(outcome.statements)
    held = [t._grad for t in tensors.values()] + [tensors.get(n) for n in re.findall(r"(v\d+) = v\d+\.grad\b", text)]
    return any(g is not None and (g is tensor or g is tensor._base) for g in held)


def expanded(outcome, mine, theirs, *runs):
    """Writes to expanded memory that PyTorch lets pass, some with a warning."""
    kinds = ("zero_", "fill_", "masked_fill_", "index_put_", "index_fill_", "tril_", "triu_", "copy_")
    said_here = said(outcome.errors[0])
    return "more than one element of the written-to tensor" in said_here and said_here.split(": ")[1] in kinds


def expanded_gradients(outcome, mine, theirs, ours, others):
    """A gradient has memory of its own, and may be written."""
    words, aspect = "more than one element of the written-to tensor", outcome.difference.aspect
    if words in mine or not (words in theirs or aspect in ("value", "_version", "grad")):
        return False
    return any(is_expanded(t) and not is_expanded(m) for m, t in pairs(outcome, ours, others))


def is_expanded(tensor):
    return any(s == 0 and n > 1 for s, n in zip(tensor.stride(), tensor.shape, strict=True))


def form_of_leaf(outcome, mine, theirs, *runs):
    """``squeeze_`` and its kin on a leaf that requires grad and has views."""
    return "is a leaf that requires grad, and has views" in mine


def one_element(outcome, mine, theirs, ours, others):
    """PyTorch compares the strides of dims of one element too, and takes a tensor over itself for a partial overlap."""
    words = "some elements of the input tensor and the written-to tensor"
    if words in said(outcome.errors[0]) or words not in said(outcome.errors[1]):
        return False
    if any(1 in t.shape or not t.dim() for t in concerned(outcome, others).values()):
        return True
    written = re.findall(r"^ *(v\d+\[.*?\]) [+*-]?= ", outcome.statements[-1], re.MULTILINE)
    return any(1 in eval(each, dict(ours.scope)).shape for each in written)


def concerned(outcome, run):
    """The tensors that the last statement or the difference names."""
    words = set(re.findall(r"\w+", outcome.statements[-1])) | {outcome.difference.name}
    return {name: t for name, t in run.tensors().items() if name in words}


def pairs(outcome, ours, others):
    """Those in both libraries: Pullback's, and PyTorch's."""
    mine = concerned(outcome, ours)
    return [(mine[name], t) for name, t in concerned(outcome, others).items() if name in mine]


def hidden_views(outcome, mine, theirs, ours, others):
    """Gradients, and what operations give without copying, may be views of tensors that nobody sees in PyTorch."""
    if any(is_hidden_view(*pair, ours, others) for pair in hooked(outcome, ours, others)):
        return outcome.difference.aspect in ("hook calls", "hook's gradient", "value", "grad")
    everything = [(m, others.tensors()[n]) for n, m in ours.tensors().items() if n in others.tensors()]
    if "backward through the graph a second time" in theirs and not mine:  # the write of a hidden view was freed
        return any(is_hidden_view(*pair, ours, others) and pair[1]._version for pair in everything)
    words = (
        "was created in no_grad mode",
        "Can't detach views in-place",
        "a leaf Variable that requires grad",
        "does not require grad",
    )
    if (mine and "a view of a leaf" not in mine) or not (
        mine or any(w in theirs for w in words) or outcome.difference.aspect in FLAGS
    ):
        return False
    return any(is_hidden_view(*pair, ours, others) for pair in pairs(outcome, ours, others))


def is_hidden_view(mine, theirs, ours, others):
    """Whether PyTorch's tensor is a view of another one than Pullback's is."""
    if not theirs._is_view() or bases(mine, ours) != bases(theirs, others):
        return theirs._is_view()
    return any(getattr(mine._base, what) != getattr(theirs._base, what) for what in ("shape", "requires_grad"))


def hooked(outcome, ours, others):
    """The tensors of both libraries that have hooks and were written later: in PyTorch, a view then leaves its hook."""
    mine, theirs, text = ours.tensors(), others.tensors(), "\n".join(outcome.statements)
    names = re.findall(r"(v\d+)\.register_hook", text)
    return [(mine[n], theirs[n]) for n in names if n in mine and n in theirs and re.search(rf"{n}(\.\w+_\(| .=)", text)]


def bases(tensor, run):
    """The names of a tensor's base, or what it is not to have one."""
    return {name for name, t in run.tensors().items() if t is tensor._base} if tensor._is_view() else None


FLAGS = ("requires_grad", "is_leaf", "names", "hook calls")


def nothing_flows(outcome, mine, theirs, *runs):
    """One library's recorded gradient requires grad, the other's does not, and its derivatives are zero: so are all
    where a tensor is empty."""
    if any(t.numel() == 0 for t in concerned(outcome, runs[1]).values()):
        flags = ("grad's requires_grad", "requires_grad", "is_leaf", "_version", "hook calls", "grad")
        words = (
            "does not require grad",
            "a leaf Variable",
            "a view of a leaf",
            "modified by an inplace",
            "a second time",
        )
        return outcome.difference.aspect in flags or any(w in mine + theirs for w in words)
    name = outcome.difference.name
    name = name if any(re.match(rf"{name} = torch.autograd.grad", s) for s in outcome.statements) else None
    wanted = ("requires_grad", "is_leaf") if name else ("grad's requires_grad",)
    return outcome.difference.aspect in wanted and all(was_constant(outcome, run.torch, name) for run in runs)


def leaves_of(run):
    """The leaves that require grad; some tensors refuse to be asked."""
    flags = ("requires_grad", "is_leaf")
    return {n: t for n, t in run.tensors().items() if all(flag_of(t, flag) is True for flag in flags)}


def was_constant(outcome, torch, name):
    """Whether the derivatives of a recorded gradient, or of what tensors hold, vanish at the time when they are made."""
    run = Run(torch)
    for statement in outcome.statements:
        run.do(statement)
        made = re.match(rf"{name} = ", statement) if name else "create_graph" in statement and "backward" in statement
        if made and not is_constant(run, name):
            return False
    return True


def is_constant(run, name):
    """Whether the derivatives of a recorded gradient, or of all that tensors hold, vanish."""
    leaves = list(leaves_of(run).values())
    grads = [t._grad for t in leaves if t._grad is not None] if name is None else [run.tensors()[name]]
    for grad in [grad for grad in grads if grad.requires_grad]:
        found = run.torch.autograd.grad(grad.sum(), leaves, allow_unused=True, retain_graph=True)
        if any(g is not None and bool((g != 0).any()) for g in found):
            return False
    return True


def torch_broken(outcome, mine, theirs, *runs):
    """PyTorch found itself in error."""
    return "INTERNAL ASSERT FAILED" in theirs


def assigned_data(outcome, mine, theirs, *runs):
    """A tensor whose ``.data`` was replaced no longer shares a version with its views."""
    return outcome.difference.aspect == "_version" and any(".data = " in s for s in outcome.statements)


def written_by_detached(outcome, mine, theirs, ours, others):
    """A view made under ``no_grad`` does not see that its base was written by way of a detached tensor."""
    words = "its base or another view of its base has been modified inplace"
    if outcome.difference.aspect not in ("hook calls", "is_leaf") and (words not in theirs or mine):
        return False
    return any("detach()" in s for s in outcome.statements)


def layout(outcome, mine, theirs, ours, others):
    """Results are laid out row by row, where PyTorch may keep the order of its operand's memory: so one may be copied
    where the other is seen in another shape, or overlap with another tensor where the other has gaps."""
    shapers = ("flatten", "reshape", "ravel", "contiguous", "as_strided", "view")
    words = "some elements of the input tensor and the written-to tensor"
    if words not in mine + theirs and not any(s in "".join(outcome.statements) for s in shapers):
        return False
    tensors = ours.tensors()
    known = ("_version", "value", "retains_grad") if mine == theirs == "" else ("exception", "_version")
    return outcome.difference.aspect in known and any(
        steps(t) != steps(tensors[n]) for n, t in others.tensors().items() if n in tensors and t.numel()
    )


def steps(tensor):
    """The strides of the dims that have more than one element."""
    return [s for s, n in zip(tensor.stride(), tensor.shape, strict=True) if n != 1]


def targets_not_freed(outcome, mine, theirs, *runs):
    """A tensor given as ``inputs`` of a backward pass keeps what its own node saved."""
    return (
        not mine and "backward through the graph a second time" in theirs and "inputs=[" in "".join(outcome.statements)
    )


def not_finite(outcome, *rest):
    """What a gradient is where an infinity or NaN went through it."""
    return any(isinstance(a, np.ndarray) and not np.isfinite(a).all() for a in sides(outcome))


def unnoticed_write(outcome, mine, theirs, ours, others):
    """Writes through ``.data`` that nobody notices: what was saved shows in the gradient. Were they noticed, it would
    be an error."""
    noticed = not theirs or "modified by an inplace operation" in theirs
    if mine or not noticed or not any(".data" in s for s in outcome.statements):
        return False
    run = Run(ours.torch)
    with ours.torch.autograd.graph.strict_versions():
        errors = [run.do(re.sub(r"\.data\b(?! =)", ".detach()", statement)) for statement in outcome.statements]
    return any("modified by an inplace operation" in str(error) for error in errors)


def form_without_grad(outcome, mine, theirs, ours, others):
    """A form that a tensor with a history takes under ``no_grad`` is recorded: PyTorch's gradients do not fit it."""
    if outcome.difference.aspect == "shape":
        call = GRAD_CALL.search(outcome.statements[-1])
        shapes = [tuple(ours.tensors()[n].shape) for n in call[2].split(", ") if n in ours.tensors()] if call else []
        return outcome.difference.mine in shapes and outcome.difference.theirs not in shapes
    if outcome.difference.aspect in ("grad", "value"):
        block = re.compile(r"(no_grad|set_grad_enabled\(False\))[^\0]*\.(t|unsqueeze|squeeze|transpose|swapaxes)_\(")
        return any(block.search(s) for s in outcome.statements)
    return not mine and "invalid gradient at index" in theirs


def detached_saved(outcome, mine, theirs, *runs):
    """A saved value is as it was, though its tensor was detached in place."""
    return not mine and "saved tensor that has been detached in-place" in theirs


def overlapping_out(outcome, mine, theirs, *runs):
    """A result is computed before it is written to ``out``, which may overlap with an operand."""
    words = "some elements of the input tensor and the written-to tensor"
    return not mine and words in theirs and "out=" in outcome.statements[-1]


def older_view(outcome, mine, theirs, ours, others):
    """A view of a constant that got a history since: PyTorch takes it for a leaf until someone looks."""
    words = "a leaf Variable that requires grad is being used in an in-place operation"
    written = re.findall(r"^ *(v\d+)[.\[ ]", outcome.statements[-1], re.MULTILINE)
    views = [t for name, t in ours.tensors().items() if name in written and t._is_view()]
    refused = words in said(outcome.errors[1]) and not mine
    return refused and any(not t.is_leaf for t in views)


def retained_view(outcome, mine, theirs, ours, others):
    """``retain_grad`` of a view whose history is to come has no effect in PyTorch, until someone looks."""
    difference = outcome.difference
    return (
        difference.aspect == "retains_grad" and difference.mine is True and ours.tensors()[difference.name]._is_view()
    )


def leading_nowhere(outcome, mine, theirs, ours, others):
    """What leads to a view that nothing recorded is freed by a backward pass as all else is. PyTorch looks at such a
    view once more where it was saved, and raises where its base was written."""
    if re.search(r"backward|autograd.grad", outcome.statements[-1]) and not mine and "was created in no_grad" in theirs:
        return True
    nodes, seen = [t._fn for t in ours.tensors().values()], set()
    while nodes:
        node = nodes.pop()
        if node is not None and node._is_node and node not in seen:
            seen.add(node)
            nodes.extend(node.next)
    return not theirs and "backward through the graph a second time" in mine and any(n.is_hidden for n in seen)


def form_then_wanted(outcome, mine, theirs, *runs):
    """The views of a tensor whose form was changed in place are those of a hidden one: they do not see that it begins
    to require grad, nor does their gradient pass through it."""
    words = ("t_()", "unsqueeze_(", "squeeze_(", "transpose_(", "swapaxes_(")
    is_it = outcome.difference.aspect in (*FLAGS, "retains_grad") or (not mine and "a view of a leaf" in theirs)
    is_it = is_it or (not theirs and ("does not require grad" in mine or "a leaf Variable" in mine))
    return is_it and any(w in s for w in words for s in outcome.statements)


def order_of_inputs(outcome, mine, theirs, *runs):
    """Where PyTorch runs several operations and Pullback one, the hooks of its inputs may run in another order."""
    return outcome.difference.aspect == "hook calls" and sorted(outcome.difference.mine) == sorted(
        outcome.difference.theirs
    )


def copies_saved(outcome, mine, theirs, *runs):
    """Products of more than two dims save their operands, where PyTorch may save copies of them."""
    return not theirs and "of UnsafeViewBackward0, was saved at" in mine and "modified by an inplace" in mine


GRAD_CALL = re.compile(r"v\d+ = torch.autograd.grad\((.*), \[(.*?)\]")


def by_own_result(outcome, mine, theirs, ours, others):
    """The derivative of an operation's gradient by the operation's result depends on whether the formula is written in
    the result; by the leaves it does not."""
    call = GRAD_CALL.match(outcome.statements[-1])
    if outcome.difference.aspect != "value" or not call or "create_graph" not in "".join(outcome.statements[:-1]):
        return False
    runs = [Run(ours.torch), Run(others.torch)]
    for run in runs:
        for statement in outcome.statements[:-1]:
            run.do(statement)
        leaves = [n for n, t in run.tensors().items() if t.requires_grad and t.is_leaf]
        for i, leaf in enumerate(leaves):
            run.do(f"d{i} = torch.autograd.grad({call[1]}, {leaf}, retain_graph=True, allow_unused=True)[0]")
    return next(compare_values(0, *runs), None) is None


def wanted_later(outcome, mine, theirs, ours, others):
    """What was a constant when an operation saved it is one in recorded gradients, though it requires grad by now."""
    later = re.findall(r"(v\d+)\.requires_grad", "\n".join(outcome.statements))
    aspect, tensors = outcome.difference.aspect, others.tensors()
    if aspect not in ("grad's requires_grad", "requires_grad", "is_leaf") or mine or not later:
        return False
    found = tensors[outcome.difference.name]
    recorded = found._grad if aspect.startswith("grad") else found
    leaves = [t for n, t in leaves_of(others).items() if n not in later]
    slopes = others.torch.autograd.grad(recorded.sum(), leaves, allow_unused=True, retain_graph=True) if leaves else ()
    return all(g is None or not bool((g != 0).any()) for g in slopes)


def hooks_of_written_views(outcome, mine, theirs, ours, others):
    """In a recorded gradient of a write through a view, the derivative by the written value does not pass the hooks of
    the base; in PyTorch it does. Without hooks that change gradients there is no difference."""
    text = "\n".join(outcome.statements)
    if outcome.difference.aspect not in ("grad", "value", "hook's gradient") or "create_graph" not in text:
        return False
    runs = [Run(ours.torch), Run(others.torch)]
    for run in runs:
        for statement in outcome.statements:
            run.do(re.sub(r"scale\(('h\d+'), \S+\)", r"record(\1)", statement))
            if outcome.often:
                look(run)
    return next(compare_runs(0, *runs), None) is None and "scale(" in text


KNOWN = {
    "constants that require grad later": wanted_later,
    "hooks of tensors that were written through a view": hooks_of_written_views,
    "derivatives by an operation's own result": by_own_result,
    "the order of hooks of an operation's inputs": order_of_inputs,
    "what products save": copies_saved,
    "views of a tensor whose form changed in place": form_then_wanted,
    "writes through an older view of a constant": older_view,
    "retain_grad of a view whose history is to come": retained_view,
    "views that lead nowhere": leading_nowhere,
    "out= that overlaps with an operand": overlapping_out,
    "gradients have memory of their own": expanded_gradients,
    "hooks before a refusal": stale_elsewhere,
    "the version of .grad": accumulated,
    "t_ and its kin under no_grad": form_without_grad,
    "gradients that are not finite": not_finite,
    "unnoticed writes through .data": unnoticed_write,
    "values whose tensor was detached in place": detached_saved,
    "no-grad views written by way of a detached tensor": written_by_detached,
    "memory layout of results": layout,
    "inputs of a backward pass": targets_not_freed,
    "internal errors of PyTorch": torch_broken,
    "versions after .data was assigned": assigned_data,
    "views of tensors that nobody sees": hidden_views,
    "recorded gradients of empty views": nothing_flows,
    "writing one element over itself": one_element,
    "writes to the outputs of split, chunk and unbind": multiple_views,
    "values that were written in a part that is not needed": not_stale,
    "writes to expanded memory": expanded,
    "squeeze_, unsqueeze_, transpose_ and t_ of a leaf that has views": form_of_leaf,
}
