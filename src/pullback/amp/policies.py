"""Which operation runs in which dtype under autocast on the CPU: PyTorch's rules, as its results show them.

The operations and public names of three lists ask, before they check their operands, whether autocast is on, and cast them if
it is. They begin to ask when autocast is first used. Invariant: while it is on anywhere, fast paths are closed, so that
every call comes by here; where it is off in a thread, nothing is cast there.
"""

from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..context import Setting
from ..ops.table import OVERLOADS, TABLE
from ..tape.modes import is_grad_enabled
from ..tape.promotion import dtype_of
from ..tape.value import Tensor, closing

# Products and convolutions, which gain most and lose least.
LOW = (
    *("mm", "bmm", "addmm", "addbmm", "baddbmm", "matmul", "matmul_batch", "contract", "linear", "prelu"),
    *("linear_rows", "linear_mm", "linear_mm_row", "linear_mm_rows", "rnn_tanh_cell", "rnn_relu_cell"),
    *("conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
    *("affine_grid_generator", "affine_grid", "tensordot", "scaled_dot_product_attention"),
    *("lstm", "rnn_tanh", "rnn_relu"),
)

# What needs range or precision, or does not exist in half precision.
SINGLE = (
    *(
        "l1_loss",
        "mse_loss",
        "smooth_l1_loss",
        "huber_loss",
        "kl_div",
        "binary_cross_entropy",
        "cross_entropy",
        "nll_loss",
    ),
    *(
        "binary_cross_entropy_with_logits",
        "cosine_embedding_loss",
        "hinge_embedding_loss",
        "poisson_nll_loss",
        "ctc_loss",
    ),
    *("margin_ranking_loss", "soft_margin_loss", "triplet_margin_loss", "multi_margin_loss", "multilabel_margin_loss"),
    *("adaptive_avg_pool3d", "adaptive_max_pool3d", "avg_pool3d", "max_pool3d", "max_unpool1d", "max_unpool2d"),
    *("max_unpool3d", "fractional_max_pool2d", "fractional_max_pool3d", "fractional_max_pool2d_with_indices"),
    *("fractional_max_pool3d_with_indices", "max_pool3d_with_indices", "adaptive_max_pool3d_with_indices"),
    *("reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d", "replication_pad3d"),
    *("grid_sampler_2d", "grid_sampler_3d", "grid_sampler", "grid_sample", "cdist", "prod", "trace", "polar"),
    *("quantile", "nanquantile", "stft", "view_as_complex", "view_as_complex_copy"),
    *(f"fft_{form}{name}{dims}" for form in ("", "i") for name in ("fft", "rfft", "hfft") for dims in ("", "2", "n")),
    *("cholesky", "linalg_cholesky", "linalg_cholesky_ex", "cholesky_inverse", "cholesky_solve", "inverse", "pinverse"),
    *("linalg_inv", "linalg_inv_ex", "linalg_solve", "lu", "lu_solve"),
    *(
        "qr",
        "linalg_qr",
        "geqrf",
        "orgqr",
        "ormqr",
        "linalg_householder_product",
        "svd",
        "linalg_svd",
        "linalg_svdvals",
    ),
    *(
        "linalg_eig",
        "linalg_eigh",
        "linalg_eigvals",
        "linalg_eigvalsh",
        "linalg_lstsq",
        "linalg_cond",
        "triangular_solve",
    ),
    *("linalg_matrix_rank", "linalg_pinv"),
)

# What takes several tensors and keeps their dtype: the widest of theirs.
WIDEST = ("index_copy",)

# What is not cast as a whole, nor in its parts: all takes the first tensor's dtype.
AS_FIRST = ("bilinear", "gru", "gru_cell", "lstm_cell")

# What is a product for some of its arguments.
CONTRACTING = ("einsum",)


class Active:
    """What autocast does in a context: the dtype that it casts to, and what it has cast."""

    __slots__ = ("cache", "dtype", "kept")

    def __init__(self, dtype: dtypes.dtype, cache: bool, kept: dict | None = None) -> None:
        self.dtype, self.cache = dtype, cache
        self.kept: dict = {} if kept is None else kept

    def cast(self, tensor: Any) -> Any:
        """A tensor in the dtype; parameters are cast once."""
        if not (self.cache and tensor._flags and tensor.requires_grad and tensor.is_leaf and tensor._view is None):
            return tensor.to(self.dtype)
        facts = (tensor._version, is_grad_enabled(), self.dtype)
        found = self.kept.get(id(tensor))
        if found is None or found[0] is not tensor or found[1] != facts:
            found = self.kept[id(tensor)] = (tensor, facts, tensor.to(self.dtype))
        return found[2]


active = Setting("autocast", None, closing)

CASTABLE = (dtypes.float32, dtypes.bfloat16, dtypes.float16)


def cast_to(dtype: Any, value: Any, cast: Callable) -> Any:
    """The floating tensors of a value, also those in lists, in a dtype; double precision stays."""
    if isinstance(value, Tensor):
        own = dtype_of(value._data)
        return value if own is dtype or own not in CASTABLE else cast(value)
    if type(value) in (list, tuple):
        return type(value)([cast_to(dtype, each, cast) for each in value])
    return value


def lower(now: Active, args: tuple) -> tuple:
    return tuple([cast_to(now.dtype, a, now.cast) for a in args])


def single(now: Active, args: tuple) -> tuple:
    return tuple([cast_to(dtypes.float32, a, lambda t: t.to(dtypes.float32)) for a in args])


def widest(now: Active, args: tuple) -> tuple:
    found = {dtype_of(a._data) for a in args if isinstance(a, Tensor)}
    wanted = next((d for d in (dtypes.float64, dtypes.float32) if d in found), now.dtype)
    return tuple([cast_to(wanted, a, lambda t: t.to(wanted)) for a in args])


def as_first(now: Active, args: tuple) -> tuple:
    wanted = dtype_of(args[0]._data)
    return tuple([cast_to(wanted, a, lambda t: t.to(wanted)) for a in args])


def contracting(now: Active, args: tuple) -> tuple:
    """As a product, where ``einsum`` sums over an index that several operands have."""
    equation = args[0][0] if args and isinstance(args[0], (list, tuple)) and args[0] else None
    if isinstance(equation, str):
        given, _, result = equation.partition("->")
        parts = [set(part) - set(". ") for part in given.split(",")]
        shared = {index for part in parts for index in part if sum(index in other for other in parts) > 1}
        if not shared - set(result):
            return type(args[0])(widest(now, args[0])), *args[1:]
    return lower(now, args)


def asking(function: Callable | None, policy: Callable) -> Callable:
    """What brings a call's arguments to their form, with a look at autocast before; what it calls is not cast again."""

    def prepare(*args: Any) -> Any:
        now = active.get()
        if now is None:
            return args if function is None else function(*args)
        args = policy(now, args)
        if function is None:
            return args
        active.enter(None, prepare)
        try:
            return function(*args)
        finally:
            active.leave(prepare)

    return prepare


OTHERS = ((AS_FIRST, as_first), (CONTRACTING, contracting))
installed: list = []


def install() -> None:
    """Let the listed operations ask, from now on."""
    if installed:
        return
    installed.append(True)
    for names, policy in ((LOW, lower), (SINGLE, single), (WIDEST, widest), *OTHERS):
        for name in names:
            if name in TABLE:
                TABLE[name].prepare = asking(TABLE[name].prepare, policy)
            if name in OVERLOADS:
                OVERLOADS[name].choose = asking(OVERLOADS[name].choose, policy)
