"""Writing random statements that fit the tensors there are.

Each family below writes one statement, or raises Misfit where nothing fits. It looks at torch's tensors to choose operands; that
most statements are valid is all that matters: what one library refuses, the other must refuse as well.
"""

import re
from math import prod

UNARY = (
    "sin", "cos", "tanh", "sigmoid", "exp", "neg", "square", "abs", "relu", "softplus", "erf", "atan", "sign", "expm1",
    "sinc", "reciprocal", "clone", "logit", "log1p", "rsqrt", "digamma", "floor", "round", "asinh", "gelu",
)  # fmt: skip
WITHIN = {  # what an operation's operand must lie within for its result to be tame
    "exp": (-9, 4), "expm1": (-9, 4), "reciprocal": (0.1, 99), "logit": (0.1, 0.9), "log1p": (-0.5, 99),
    "rsqrt": (0.1, 99), "digamma": (0.1, 99),
}  # fmt: skip
FUNCTIONAL = {"softplus", "gelu"}
BINARY = ("add", "sub", "mul", "div", "maximum", "minimum", "logaddexp", "hypot", "fmod", "remainder")
WRITES = (
    "sin_", "cos_", "tanh_", "sigmoid_", "exp_", "neg_", "square_", "abs_", "relu_", "zero_", "reciprocal_", "floor_",
    "erf_", "sign_", "atan_", "clamp_(-1, 1)", "clamp_(min=0.3)", "fill_(1.5)", "tril_", "triu_(1)", "cumsum_(-1)",
    "pow_(2)", "rsqrt_", "expm1_", "detach_", "round_", "mul_(0.5)", "add_(1)", "cumprod_(0)",
)  # fmt: skip
SHAPE_WRITES = (
    "t_()",
    "unsqueeze_(0)",
    "squeeze_()",
    "transpose_(0, 1)",
    "squeeze_(0)",
    "unsqueeze_(-1)",
    "swapaxes_(0, -1)",
)
REDUCTIONS = ("sum", "mean", "amax", "amin", "prod", "logsumexp", "var", "norm", "nansum")
FOLDS = ("cumsum", "cumprod", "softmax", "log_softmax", "flip", "logcumsumexp", "cummax", "cummin", "sort")
VIEWS = (
    "t()", "T", "mT", "transpose(0, -1)", "unsqueeze(0)", "unsqueeze(-1)", "squeeze()", "squeeze(0)", "flatten()",
    "view(-1)", "reshape(-1)", "diagonal()", "movedim(0, -1)", "swapaxes(0, 1)", "view_as({0})", "ravel()", "detach()",
    "data", "contiguous()", "expand_as({0})", "unfold(0, 2, 1)", "detach()", "data", "real", "alias", "diagonal(1)",
    "reshape(1, -1)", "view(-1, 1)", "adjoint()", "conj()", "resolve_conj()", "to(torch.float64)", "positive()",
)  # fmt: skip
MULTIPLE = ("split(1)", "split(2, -1)", "chunk(2)", "unbind()", "unbind(-1)", "tensor_split(2)", "split([1, 2])")
SHAPES = (
    (),
    (1,),
    (2,),
    (3,),
    (4,),
    (2, 2),
    (2, 3),
    (3, 2),
    (3, 3),
    (1, 3),
    (3, 1),
    (2, 1, 3),
    (2, 2, 2),
    (2, 3, 2),
    (0,),
    (0, 3),
    (4, 4),
)
NUMBERS = ("2", "0.5", "-1.5", "3", "-0.25", "1", "0", "1.25")
MOST_TENSORS = 12
BIG = 30.0


class Misfit(Exception):
    """The statement that was to be written does not fit any tensor there is."""


def fit(condition):
    """Raise Misfit where a condition does not hold."""
    if not condition:
        raise Misfit


class Writer:
    """Writes the statements of one program.

    Args:
        rng: where its choices come from.
        run: the program in progress on torch.
        is_sure: whether the program will find the tensors as they are here.
    """

    def __init__(self, rng, run, is_sure):
        self.rng, self.run, self.is_sure, self.count, self.hooks = rng, run, is_sure, 0, 0
        self.split_names, self.made_leaves = set(), set()
        self.names, self.kinds = [], {}

    def next(self):
        """One statement."""
        self.kinds = self.run.tensors()
        self.names = list(self.kinds)
        if len(self.names) < 2:
            return self.make_leaf()
        if len(self.names) > MOST_TENSORS:
            return f"del {self.rng.choice(self.names[:-3])}"
        while True:
            (family,) = self.rng.choices(FAMILIES, WEIGHTS)
            try:
                statement = family(self)
                self.decide(statement)
                return statement
            except Misfit:
                pass

    # -- choices -------------------------------------------------------------------------------------------------------

    def fresh(self):
        self.count += 1
        return f"v{self.count}"

    def chance(self, p):
        return self.rng.random() < p

    def one(self, options):
        return self.rng.choice(options)

    def tensor(self, fits=lambda t: True, floating=True):
        """The name of a tensor that fits; the newest are likelier. Raises Misfit where there is none."""
        names = [n for n in self.names if (not floating or self.kinds[n].is_floating_point()) and fits(self.kinds[n])]
        if not names:
            raise Misfit
        return names[-1 - min(int(self.rng.expovariate(0.35)), len(names) - 1)] if self.chance(0.6) else self.one(names)

    def tame(self, fits=lambda t: True):
        """The name of a tensor without large elements; a bounded function of one where there is none such."""
        for _ in range(3):
            name = self.tensor(fits)
            if name is None:
                return None
            if self.is_tame(name):
                return name
        return f"torch.tanh({name})"

    def is_tame(self, name, low=-BIG, high=BIG):
        t = self.kinds[name].detach()
        return not t.numel() or bool(low <= t.min() and t.max() <= high)

    def literal(self, shape, low=-2.0, high=2.0):
        values = [round(self.rng.uniform(low, high), 2) for _ in range(prod(shape))]
        return nested(values, shape)

    def number(self):
        return self.one(NUMBERS)

    def broadcastable(self, shape):
        """The name of a tame tensor that broadcasts to a shape."""
        return self.tame(lambda t: fits_in(tuple(t.shape), tuple(shape)))

    def dim(self, t):
        return self.rng.randrange(-t.dim(), t.dim()) if t.dim() else None

    # -- new tensors ---------------------------------------------------------------------------------------------------

    def make_leaf(self):
        shape = self.one(SHAPES)
        values, rest = self.literal(shape), "dtype=torch.float64"
        if self.chance(0.04):
            rest = "dtype=torch.float32"
        rest += ", requires_grad=True" if self.chance(0.55) else ""
        if 0 in shape:
            return f"{self.fresh()} = torch.zeros({shape}, {rest})"
        return f"{self.fresh()} = torch.tensor({values}, {rest})"

    def unary(self):
        op = self.one(UNARY)
        name = self.tame()
        if op in WITHIN and not (name in self.kinds and self.is_tame(name, *WITHIN[op])):
            op = "tanh"
        where = "torch.nn.functional" if op in FUNCTIONAL else "torch"
        return f"{self.fresh()} = {where}.{op}({name})"

    def binary(self):
        a = self.tame()
        shape = self.shape_of(a)
        b = self.number() if self.chance(0.25) else self.broadcastable(shape) if self.chance(0.8) else self.tame()
        op = self.one(BINARY)
        if op in ("div", "fmod", "remainder") and not (b in self.kinds and self.away_from_zero(b)):
            op = "mul"
        if op in ("fmod", "remainder"):
            fit(a in self.kinds and fits_in(self.shape_of(b), shape))
            fit(away_from_integers(self.kinds[a].detach() / self.kinds[b].detach()))
        if op in ("maximum", "minimum", "logaddexp", "hypot") and b not in self.kinds:
            op = "sub"
        if self.chance(0.5) and op in SIGNS:
            return f"{self.fresh()} = {a} {SIGNS[op]} {b}"
        return f"{self.fresh()} = torch.{op}({a}, {b})"

    def shape_of(self, expression):
        name = expression if expression in self.kinds else expression[len("torch.tanh(") : -1]
        return tuple(self.kinds[name].shape)

    def away_from_zero(self, name):
        t = self.kinds[name].detach()
        return not t.numel() or bool(t.abs().min() > 0.05)

    def reduce(self):
        name = self.tame(lambda t: t.numel() > 1)
        op, shape = self.one(REDUCTIONS), self.shape_of(name)
        dim = self.rng.randrange(-len(shape), len(shape)) if shape else None
        if op == "logsumexp" and dim is None:
            op = "sum"
        if dim is None or (self.chance(0.3) and op != "logsumexp"):
            return f"{self.fresh()} = {name}.{op}()"
        keep = ", keepdim=True" if self.chance(0.3) else ""
        if op == "norm":
            return f"{self.fresh()} = {name}.norm(2, {dim}{keep})"
        return f"{self.fresh()} = {name}.{op}({dim}{keep})"

    def fold(self):
        name = self.tame(lambda t: t.dim() > 0)
        op, shape = self.one(FOLDS), self.shape_of(name)
        dim = self.rng.randrange(-len(shape), len(shape))
        if op == "sort":
            return f"{self.fresh()} = {name}.sort(dim={dim}, stable=True).values"
        if op in ("cummax", "cummin"):
            return f"{self.fresh()} = {name}.{op}({dim}).values"
        return f"{self.fresh()} = {name}.flip([{dim}])" if op == "flip" else f"{self.fresh()} = {name}.{op}(dim={dim})"

    def matmul(self):
        a = self.tame(lambda t: t.dim() > 0)
        n = self.shape_of(a)[-1]
        if self.chance(0.1) and len(self.shape_of(a)) > 1:
            return f"{self.fresh()} = {a} @ {a}.mT"
        dtype = self.kinds[a].dtype if a in self.kinds else self.run.torch.float64
        b = self.tame(lambda t: t.dim() > 0 and t.shape[-2 if t.dim() > 1 else 0] == n and t.dtype == dtype)
        return f"{self.fresh()} = {a} @ {b}"

    def join(self):
        a = self.tame()
        shape = self.shape_of(a)
        b = self.tame(lambda t: tuple(t.shape) == shape)
        op = self.one(("cat", "stack", "where", "cat", "lerp", "addcmul", "hstack"))
        if op == "where":
            return f"{self.fresh()} = torch.where({a} > 0.1, {a}, {self.one((b, b, self.number()))})"
        if op == "lerp":
            return f"{self.fresh()} = torch.lerp({a}, {b}, 0.3)"
        if op == "addcmul":
            return f"{self.fresh()} = torch.addcmul({a}, {b}, {a}, value=0.5)"
        fit(shape or op == "stack")
        dim = "" if op == "hstack" else f", {self.rng.randrange(-len(shape), len(shape)) if shape else 0}"
        return f"{self.fresh()} = torch.{op}([{a}, {b}]{dim})"

    def copying(self):
        name = self.tame(lambda t: t.dim() > 0 and t.shape[0] > 0)
        n = self.shape_of(name)[0]
        index = [self.rng.randrange(n) for _ in range(2)]
        forms = [
            f"{name}[{index}]", f"{name}[torch.tensor({index})]", f"{name}[{name} > 0]", f"{name}.roll(1, 0)",
            f"{name}.index_select(0, torch.tensor({index}))", f"{name}.repeat_interleave(2, 0)", f"{name}.clone()",
            f"torch.nn.functional.pad({name}, (1, 0))", f"{name}.tril() if {name}.dim() > 1 else {name}.repeat(2)",
            f"torch.take_along_dim({name}, {name}.argsort(dim=0, stable=True), 0)", f"{name}.topk(1, 0).values",
            f"{name}.masked_fill({name} < 0, 0.5)", f"{name}.max(0).values", f"{name}.min(0).values", f"{name}.max()",
            f"{name}.gather(0, torch.zeros({name}.shape, dtype=torch.int64))", f"{name}.clamp(-1, 1)", f"{name} ** 2",
            f"{name}.median()", f"{name}.to(torch.float32)", f"{name}.double()", f"{name}.new_zeros(3)", f"1 / ({name} ** 2 + 1)",
            f"torch.ones_like({name})", f"torch.einsum('i...,i...->i', {name}, {name})", f"{name}.cross({name}.roll(1, 0), 0)",
            f"torch.outer({name}.flatten(), {name}.flatten())", f"{name}.detach().clone().requires_grad_()",
        ]  # fmt: skip
        return f"{self.fresh()} = {self.one(forms)}"

    def decide(self, statement):
        """Raise Misfit where a comparison in a statement would be decided by a rounding."""
        for name, limit in re.findall(r"(v\d+) [<>] ([\d.]+)", statement):
            fit(((self.kinds[name].detach() - float(limit)).abs() > 1e-6).all())
        for name in self.operands_of(statement, "floor|round"):
            fit(away_from_integers(2 * self.kinds[name].detach()))
        for name in self.operands_of(statement, "relu|abs|sign"):
            fit(is_clearly(self.kinds[name].detach()))
        for name in self.operands_of(statement, "topk|sort|argsort|max|min|median"):
            gaps = self.kinds[name].detach().flatten().sort().values.diff()
            fit((gaps > 1e-4).all() if "topk" in statement else is_clearly(gaps))

    def operands_of(self, statement, operations):
        """The tensors that one of these operations is applied to."""
        found = re.findall(rf"\.(?:{operations})\((v\d+)|(v\d+)\.(?:{operations})_?\(", statement)
        return {name for pair in found for name in pair if name in self.kinds}

    # -- views ---------------------------------------------------------------------------------------------------------

    def index(self, shape):
        """A basic index, as source."""
        entries = []
        for n in shape:
            kind = self.rng.random()
            if kind < 0.35 and n:
                entries.append(str(self.rng.randrange(-n, n)))
            elif kind < 0.55:
                a, b = sorted((self.rng.randint(0, n), self.rng.randint(0, n)))
                entries.append(f"{a}:{b}")
            elif kind < 0.7:
                entries.append(self.one(("1:", ":-1", "::2", ":2")))
            elif kind < 0.8:
                entries.append("None")
                entries.append(":")
            else:
                entries.append(":")
            if self.chance(0.35):
                break
        if self.chance(0.06) or not entries:
            entries.append("...")
        return ", ".join(entries)

    def view(self):
        name = self.tensor(floating=not self.chance(0.05))
        t = self.kinds[name]
        if self.chance(0.45) and t.dim():
            return f"{self.fresh()} = {name}[{self.index(t.shape)}]"
        if self.chance(0.25) and t.dim():
            d = self.dim(t)
            n = t.shape[d]
            forms = [f"{name}.expand(2, {'-1, ' * t.dim()})"]
            forms += [f"{name}.select({d}, {n - 1})"] if n else []
            forms += [f"{name}.narrow({d}, {min(1, n)}, {max(n - 1, 0)})", f"{name}.unflatten({d}, (1, -1))"]
            dims = list(range(t.dim()))
            self.rng.shuffle(dims)
            forms += [f"{name}.permute({dims})", f"{name}.swapdims({d}, 0)"]
            forms += [f"{name}.as_strided((2,), (1,))"] if t.numel() > 1 and t.is_contiguous() else []
            return f"{self.fresh()} = {self.one(forms)}"
        how = self.one(VIEWS)
        if how == "alias":
            return f"{self.fresh()} = {name}[...]"
        if how in ("t()", "T") and t.dim() > 2:
            how = "mT"
        fit(t.dim() > 1 or not ("axes" in how or "diagonal" in how))
        return f"{self.fresh()} = {name}.{how.format(name)}"

    def views(self):
        name = self.tensor(lambda t: t.dim() > 0 and 0 < t.shape[0] < 5)
        how, i, new = self.one(MULTIPLE), self.rng.randrange(2), self.fresh()
        self.split_names.add(new)
        return f"{new} = {name}.{how}[{i}]"

    # -- writes --------------------------------------------------------------------------------------------------------

    def target(self):
        """The name of a tensor to write to."""
        fits = lambda t: not (is_leaf(t) and t.requires_grad) or self.chance(0.06)
        name = self.tensor(fits)
        fit(name not in self.split_names or self.chance(0.15))
        fit(not overlaps(self.kinds[name]))
        return name

    def write(self):
        name = self.target()
        t = self.kinds[name]
        how = self.one(SHAPE_WRITES) if self.chance(0.05) and not (is_leaf(t) and t.requires_grad) else self.one(WRITES)
        bare = how.split("_")[0]
        if (bare in WITHIN and not self.is_tame(name, *WITHIN[bare])) or not self.is_tame(name):
            how = "tanh_"
        call = how if "(" in how else f"{how}()"
        bind = f"{self.fresh()} = " if self.chance(0.08) else ""
        return f"{bind}{name}.{call}"

    def write_operand(self):
        name = self.target()
        t = self.kinds[name]
        other = self.number() if self.chance(0.15) else self.operand_for(name, tuple(t.shape))
        if other in self.kinds:
            fit(not tangled(t, self.kinds[other]))
        op = self.one(("add_", "sub_", "mul_", "mul_", "copy_", "+=", "*=", "-=", "add_", "div_", "maximum", "pow_"))
        if op == "div_" and not (other in self.kinds and self.away_from_zero(other)):
            op = "add_"
        if op == "maximum":
            op = "lerp_" if other in self.kinds else "sub_"
        if op == "pow_":
            other, op = "2", "pow_" if self.is_tame(name) else "sub_"
        if op.endswith("="):
            return f"{name} {op} {other}"
        if op == "copy_" and other not in self.kinds:
            return f"{name}.fill_({other})"
        extra = ", 0.3" if op == "lerp_" else ", alpha=0.5" if op in ("add_", "sub_") and self.chance(0.2) else ""
        return f"{name}.{op}({other}{extra})"

    def operand_for(self, name, shape):
        """An operand of a write: often the target itself, or one that overlaps with it."""
        if self.chance(0.12):
            return name
        if self.chance(0.06) and len(shape) == 2 and shape[0] == shape[1] and is_dense(self.kinds[name]):
            return f"{name}.t()"
        return self.broadcastable(shape)

    def set_item(self):
        name = self.target()
        t = self.kinds[name]
        fit(t.dim())
        kind = self.rng.random()
        if kind < 0.6:
            index = self.index(t.shape)
        elif kind < 0.8 and t.shape[0]:
            index = self.one(
                (f"[{self.rng.randrange(t.shape[0])}, 0]", f"torch.tensor([{self.rng.randrange(t.shape[0])}])")
            )
        else:
            index = f"{name} > 0"
            self.decide(index)
        try:
            part = eval(f"t[{index.replace(name, 't')}]", {"t": t.detach(), "torch": self.run.torch})
        except IndexError:
            part = t.detach()[0:0].sum()
        shape = tuple(part.shape)
        value = self.number() if self.chance(0.3) else self.broadcastable(shape)
        if value in self.kinds:
            fit(not tangled(t if "[" in index or index.startswith(name) else part, self.kinds[value]))
        if self.chance(0.25):
            return f"{name}[{index}] {self.one(('+=', '*=', '-='))} {value}"
        if self.chance(0.15):
            fit(self.is_tame(name))
            return f"{name}[{index}] = torch.sin({name}[{index}])"
        if self.chance(0.1) and t.shape[0] > 1 and t.is_contiguous():
            return self.one(
                (f"{name}[1:] = {name}[:-1]", f"{name}[0] = torch.sin({name}[1])", f"{name}[:-1] += {name}[1:]")
            )
        return f"{name}[{index}] = {value}"

    def write_index(self):
        name = self.target()
        t = self.kinds[name]
        fit(t.dim() and t.numel())
        source = self.tame(lambda s: s.shape == t.shape)
        if source in self.kinds and not (is_dense(t) and is_dense(self.kinds[source])):
            source += ".clone()"
        n = t.shape[0]
        zeros = f"torch.zeros({tuple(t.shape)}, dtype=torch.int64)"
        order = list(range(n))
        self.rng.shuffle(order)
        forms = [
            f"masked_fill_({name} > 0.5, {self.number()})", f"index_add_(0, torch.tensor({order}), {source})",
            f"index_copy_(0, torch.tensor({order}), {source})", "index_fill_(0, torch.tensor([0]), 0.5)",
            f"scatter_(0, {zeros}[:1], {source}[:1])", f"scatter_add_(0, {zeros}, {source})",
            f"masked_scatter_({name} > 0, {source}.clone())", f"addcmul_({source}, {source}, value=0.1)",
            f"addcdiv_({source}, torch.ones_like({name}))", f"index_put_((torch.tensor({order}),), {source})",
            f"index_put_((torch.tensor([0]),), {source}[:1], accumulate=True)", f"scatter_(0, {zeros}, 1.5)",
            f"mul_({source}).add_({source})", f"clamp_(max={source})",
        ]  # fmt: skip
        return f"{name}.{self.one(forms)}"

    # -- the graph -----------------------------------------------------------------------------------------------------

    def set_flag(self):
        kind = self.rng.random()
        if kind < 0.4:
            name = self.tensor(lambda t: is_leaf(t) and not t.requires_grad)
            self.made_leaves.add(name)
            return f"{name}.requires_grad_()"
        if kind < 0.5:
            return f"{self.tensor()}.requires_grad_(False)"
        if kind < 0.55:
            return f"{self.tensor()}.requires_grad = {self.one(('True', 'False'))}"
        if kind < 0.6:
            name = self.tensor()
            return f"{name}.data = {name}.data.clone()"
        if kind < 0.64:
            return f"torch.autograd.graph.increment_version({self.tensor()})"
        name = self.tensor(lambda t: t.requires_grad)
        return f"{name}.retain_grad()"

    def hook(self):
        name = self.tensor(lambda t: (t.requires_grad or self.chance(0.03)) and not self.may_crash(t))
        fit(not (name in self.made_leaves and self.kinds[name]._is_view()))
        self.hooks += 1
        kind = self.rng.random()
        if kind < 0.5:
            return f"h{self.hooks} = {name}.register_hook(record('h{self.hooks}'))"
        if kind < 0.8:
            return f"h{self.hooks} = {name}.register_hook(scale('h{self.hooks}', {self.one(('2', '0.5', '-1'))}))"
        if kind < 0.9 and is_leaf(self.kinds[name]):
            return f"h{self.hooks} = {name}.register_post_accumulate_grad_hook(note('h{self.hooks}'))"
        handles = [n for n in self.run.scope if n[0] == "h" and n[1:].isdigit()]
        fit(handles)
        return f"{self.one(handles)}.remove()"

    def may_crash(self, t):
        """Whether PyTorch 2.13 might crash when a hook is registered: on a view that leads nowhere, or was made a leaf."""
        return t._is_view() and (is_leaf(t) or not self.is_sure)

    def settings(self):
        flags = [", retain_graph=True"] * 5 + [""] * 4 + [", create_graph=True"] * 2
        return self.one(flags)

    def root(self):
        """A scalar expression that requires grad, mostly."""
        name = self.tensor(lambda t: t.requires_grad or self.chance(0.02))
        if not self.is_tame(name):
            return f"torch.tanh({name}).sum()"
        return self.one((f"{name}.sum()", f"({name} * {name}).sum()", f"{name}.sin().sum()"))

    def backward(self):
        root, rest = self.root(), self.settings()
        if self.chance(0.1):
            inputs = self.tensor(lambda t: t.requires_grad)
            return f"{root}.backward({rest[2:]}{', ' if rest else ''}inputs=[{inputs}])"
        if self.chance(0.2):
            name = self.tensor(lambda t: t.requires_grad)
            return f"{name}.backward(torch.ones_like({name}) * 0.5{rest})"
        return f"{root}.backward({rest[2:]})"

    def grad(self):
        root, rest = self.root(), self.settings()
        several = [self.tensor(lambda t: t.requires_grad) for _ in range(self.rng.randint(1, 2))]
        unused = ", allow_unused=True" if self.chance(0.8) else ", materialize_grads=True" if self.chance(0.5) else ""
        if self.chance(0.3):
            rest = ", create_graph=True"
        new = self.fresh()
        i = self.rng.randrange(len(several))
        return f"{new} = torch.autograd.grad({root}, [{', '.join(several)}]{rest}{unused})[{i}]"

    def use_grad(self):
        name = self.tensor(lambda t: is_leaf(t) and t.grad is not None)
        return self.one((
            f"{name}.grad = None", f"{name}.grad.zero_()", f"{self.fresh()} = {name}.grad",
            f"with torch.no_grad():\n    {name} -= 0.1 * {name}.grad", f"{name}.data.add_({name}.grad, alpha=-0.1)",
            f"{self.fresh()} = {name}.grad * 2",
        ))  # fmt: skip

    def without_grad(self):
        """A block in which nothing is recorded."""
        mode = self.one(("no_grad",) * 6 + ("enable_grad", "set_grad_enabled"))
        lines = []
        for _ in range(self.rng.randint(1, 3)):
            family = self.one(
                (
                    Writer.view,
                    Writer.view,
                    Writer.unary,
                    Writer.write,
                    Writer.write_operand,
                    Writer.set_item,
                    Writer.binary,
                )
            )
            lines.append("    " + self.on_leaf(family))
        argument = "False" if mode == "set_grad_enabled" else ""
        return "\n".join([f"with torch.{mode}({argument}):", *lines])

    def on_leaf(self, family):
        """Under no_grad leaves may be written."""
        before, self.target = self.target, lambda: self.tensor(lambda t: not overlaps(t))
        try:
            return family(self)
        finally:
            self.target = before

    def rename(self):
        return f"{self.fresh()} = {self.tensor()}" if self.chance(0.3) else f"del {self.tensor()}"

    def out(self):
        a = self.tame()
        c = self.tensor(lambda t: tuple(t.shape) == self.shape_of(a) and not overlaps(t))
        fit(a in self.kinds and not tangled(self.kinds[c], self.kinds[a]))
        return f"torch.{self.one(('add', 'mul'))}({a}, {self.number()}, out={c})"


SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}


def away_from_integers(t):
    """Whether no element is so near an integer that a rounding decides what its integer part is."""
    return bool(((t - t.round()).abs() > 1e-6).all())


def is_clearly(t):
    """Whether no element is so near zero that a rounding may have made it what it is; or all are zero."""
    return bool((t.abs() > (1e-9 if t.element_size() == 8 else 1e-4)).all() or (t == 0).all())


def is_leaf(t):
    """Whether a tensor is a leaf, or one that PyTorch refuses to be asked about."""
    try:
        return t.is_leaf
    except RuntimeError:
        return True


def offsets(t):
    """Where the elements lie in the storage."""
    found = {t.storage_offset()}
    for n, stride in zip(t.shape, t.stride(), strict=True):
        found = {o + i * stride for o in found for i in range(n)}
    return found


def overlaps(t):
    """Whether elements share memory as in an unfolded tensor: to write there has no defined result."""
    return 0 not in t.stride() and not t.is_contiguous() and len(offsets(t)) < t.numel()


def tangled(target, other):
    """Whether an operand overlaps with the target in a way that PyTorch does not see, and has no defined result for."""
    if target.data_ptr() == other.data_ptr() and target.stride() == other.stride() and target.shape == other.shape:
        return False
    if target.untyped_storage().data_ptr() != other.untyped_storage().data_ptr():
        return False
    return not (is_dense(target) and is_dense(other)) and bool(offsets(target) & offsets(other))


def is_dense(t):
    expected = 1
    for stride, n in sorted((s, n) for s, n in zip(t.stride(), t.shape, strict=True) if n != 1):
        if stride != expected:
            return False
        expected *= n
    return True


def nested(values, shape):
    """A flat list as nested lists of a shape."""
    if not shape:
        return values[0]
    step = prod(shape[1:])
    return [nested(values[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]


def fits_in(small, large):
    """Whether a shape broadcasts to another."""
    if len(small) > len(large):
        return False
    return all(a == b or a == 1 for a, b in zip(small[::-1], large[::-1], strict=False))


FAMILIES, WEIGHTS = zip(
    *(
        (Writer.make_leaf, 3), (Writer.unary, 8), (Writer.binary, 12), (Writer.reduce, 4), (Writer.fold, 4),
        (Writer.matmul, 4), (Writer.join, 4), (Writer.copying, 5), (Writer.view, 16), (Writer.views, 3),
        (Writer.write, 9), (Writer.write_operand, 9), (Writer.set_item, 9), (Writer.write_index, 4),
        (Writer.set_flag, 5), (Writer.hook, 4), (Writer.backward, 7), (Writer.grad, 6), (Writer.use_grad, 3),
        (Writer.without_grad, 4), (Writer.rename, 1), (Writer.out, 0.4),
    ),
    strict=True,
)  # fmt: skip
