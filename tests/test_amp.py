"""Autocast beside PyTorch's: which call runs in which dtype; the settings around it; and the scaling of gradients."""

import pickle
import warnings

import pytest

import pullback as P
from pullback.ops.table import TABLE

# Calls over a matrix x, another y, an image v, kernels k, and indices t.
CALLS = [
    "F.l1_loss(x,y)",
    "F.mse_loss(x,y)",
    "F.smooth_l1_loss(x,y)",
    "F.huber_loss(x,y)",
    "F.kl_div(x,y)",
    "F.binary_cross_entropy(x.sigmoid(),y.sigmoid())",
    "F.binary_cross_entropy_with_logits(x,y.sigmoid())",
    "F.cross_entropy(x,t)",
    "F.nll_loss(x,t)",
    "F.nll_loss(x[None],t[None])",
    "F.cosine_embedding_loss(x,y,s)",
    "F.hinge_embedding_loss(x,y.sign())",
    "F.poisson_nll_loss(x,y)",
    "F.gaussian_nll_loss(x,y,y.abs()+1)",
    "F.margin_ranking_loss(x[0],y[0],y[0].sign())",
    "F.soft_margin_loss(x,y.sign())",
    "F.triplet_margin_loss(x,y,x+y)",
    "F.multi_margin_loss(x,t)",
    "F.multilabel_margin_loss(x,t[None].expand(3,3))",
    "F.multilabel_soft_margin_loss(x,y.sigmoid())",
    "F.ctc_loss(x[:,None].log_softmax(2),torch.tensor([[1]]),torch.tensor([3]),torch.tensor([1]))",
    "F.cosine_similarity(x,y)",
    "F.pdist(x)",
    "F.pairwise_distance(x,y)",
    "torch.cdist(x,y)",
    "torch.norm(x)",
    "x.softmax(0)",
    "x.log_softmax(0)",
    "F.layer_norm(x,(3,))",
    "F.gelu(x)",
    "x.sum()",
    "x.mean()",
    "x.var()",
    "x.cumsum(0)",
    "x.prod()",
    "x.prod(0)",
    "x.cumprod(0)",
    "x.exp()",
    "x**2",
    "x.abs().log()",
    "x.quantile(0.5)",
    "x.median()",
    "x.trace()",
    "torch.polar(x,y)",
    "torch.complex(x,y)",
    "torch.stft(x.reshape(-1),4,return_complex=True)",
    "torch.fft.fft(x)",
    "torch.fft.rfft(x)",
    "torch.fft.fft2(x)",
    "torch.fft.fftn(x)",
    "torch.fft.irfft(x)",
    "torch.fft.ihfft(x)",
    "torch.inverse(x@x.mT+3*I)",
    "torch.pinverse(x)",
    "torch.linalg.solve(I+x*0,x)",
    "torch.linalg.lu_factor(x)[0]",
    "torch.lu_solve(x,I,torch.tensor([1,2,3],dtype=torch.int32))",
    "torch.linalg.lu(x)[1]",
    "torch.linalg.qr(x)[0]",
    "torch.qr(x)[0]",
    "torch.linalg.svd(x)[0]",
    "torch.svd(x)[0]",
    "torch.det(x)",
    "torch.linalg.det(x)",
    "torch.slogdet(x)[1]",
    "torch.logdet(x*0+I)",
    "torch.linalg.matrix_rank(x)",
    "torch.linalg.cond(x)",
    "torch.linalg.cond(x,1)",
    "torch.linalg.matrix_power(x,3)",
    "torch.linalg.solve_triangular(x.triu(),x,upper=True)",
    "torch.triangular_solve(x,y)[0]",
    "torch.linalg.cholesky(x*0+I)",
    "torch.cholesky_solve(x,I+x*0)",
    "torch.cholesky_inverse(I+x*0)",
    "torch.linalg.lstsq(x,y)[0]",
    "torch.linalg.eig(x)[0]",
    "torch.linalg.eigh(x)[0]",
    "torch.linalg.eigvals(x)",
    "torch.linalg.eigvalsh(x)",
    "torch.linalg.svdvals(x)",
    "torch.geqrf(x)[0]",
    "torch.linalg.householder_product(x,x[0])",
    "torch.ormqr(x,x[0],x)",
    "torch.linalg.cholesky_ex(x*0+I)[0]",
    "torch.linalg.inv_ex(x)[0]",
    "F.max_pool1d(x,2)",
    "F.max_pool2d(x[None],2)",
    "F.max_pool3d(v,2)",
    "F.avg_pool2d(x[None],2)",
    "F.avg_pool3d(v,2)",
    "F.adaptive_avg_pool1d(x,2)",
    "F.adaptive_avg_pool2d(x[None],2)",
    "F.adaptive_avg_pool3d(v,2)",
    "F.adaptive_max_pool2d(x[None],2)",
    "F.adaptive_max_pool3d(v,2)",
    "F.fractional_max_pool2d(v,2,2)",
    "F.fractional_max_pool3d(v,2,2)",
    "F.max_unpool2d(*F.max_pool2d(x[None],2,return_indices=True),2)",
    "F.max_unpool3d(*F.max_pool3d(v,2,return_indices=True),2)",
    "F.max_unpool1d(*F.max_pool1d(x,2,return_indices=True),2)",
    "F.lp_pool2d(x[None],2,2)",
    'F.pad(x,(1,1),"reflect")',
    'F.pad(x[None],(1,1,1,1),"reflect")',
    'F.pad(v,(1,1,1,1,1,1),"reflect")',
    'F.pad(x,(1,1),"replicate")',
    'F.pad(v,(1,1,1,1,1,1),"replicate")',
    "F.pad(x,(1,1))",
    'F.pad(x,(1,1),"circular")',
    "F.interpolate(x[None],scale_factor=2.)",
    'F.interpolate(v,scale_factor=2.,mode="bilinear")',
    "F.grid_sample(v,torch.zeros(v.shape[0],2,2,2,dtype=x.dtype))",
    "F.affine_grid(x[None,:2],(1,1,2,2))",
    "F.fold(v.reshape(1,4,-1)[...,:4],(3,3),(2,2))",
    "F.unfold(v,2)",
    "x.mm(y)",
    "x@y",
    "x@y[0]",
    "x[0]@y[0]",
    "x[0].dot(y[0])",
    "x.mv(y[0])",
    "torch.inner(x,y)",
    "torch.inner(x[0],y[0])",
    "torch.outer(x[0],y[0])",
    "torch.vdot(x[0],y[0])",
    'torch.einsum("ij,jk->ik",x,y)',
    'torch.einsum("ij->ji",x)',
    'torch.einsum("ij,ij->ij",x,y)',
    'torch.einsum("i,j->ij",x[0],y[0])',
    'torch.einsum("i,i->",x[0],y[0])',
    'torch.einsum("ij,jk,kl->il",x,y,x)',
    "torch.tensordot(x,y,1)",
    "torch.tensordot(x,y,0)",
    "torch.kron(x,y)",
    "torch.linalg.multi_dot([x,y,x])",
    "torch.chain_matmul(x,y)",
    "torch.addmm(x,x,y)",
    "torch.addmv(x[0],x,y[0])",
    "torch.addr(x,x[0],y[0])",
    "torch.addbmm(x,x[None],y[None])",
    "torch.baddbmm(x[None],x[None],y[None])",
    "torch.bmm(x[None],y[None])",
    "F.linear(x,y,x[0])",
    "F.bilinear(x,y,k)",
    "F.conv1d(x[None],k)",
    "F.conv2d(v,v)",
    "F.conv_transpose1d(x[None],k)",
    "F.scaled_dot_product_attention(x[None],y[None],x[None])",
    "F.prelu(x,y[0])",
    "F.prelu(x,y[0,:1])",
    "torch.linalg.cross(x,y)",
    "F.embedding(t,x)",
    "F.dropout(x)",
    "F.batch_norm(x,None,None,training=True)",
    "F.instance_norm(x[None])",
    "F.group_norm(x,1)",
    "F.rms_norm(x,(3,))",
    "F.local_response_norm(x[None],2)",
    "F.normalize(x)",
    "torch.renorm(x,2,0,1.)",
    "torch.cov(x)",
    "torch.corrcoef(x)",
    "torch.cat([x,y])",
    "torch.stack([x,y])",
    "torch.hstack([x,y])",
    "torch.vstack([x,y])",
    "torch.dstack([x,y])",
    "torch.column_stack([x,y])",
    "torch.index_copy(x,0,torch.tensor([0]),y[:1])",
    "torch.index_add(x,0,torch.tensor([0]),y[:1])",
    "x.scatter(0,t[None],y)",
    "torch.where(x>0,x,y)",
    "x+y",
    "torch.lerp(x,y,0.5)",
    "torch.addcmul(x,y,y)",
    "torch.dist(x,y)",
    "torch.block_diag(x,y)",
    "torch.trapezoid(x)",
    "x.logsumexp(0)",
    "torch.std_mean(x)[0]",
    "F.softplus(x)",
    "torch.nn.LSTM(3,4)(x)[0]",
    "torch.nn.LSTM(3,4,2,bidirectional=True)(x[None])[0]",
    "torch.nn.GRU(3,4)(x)[0]",
    "torch.nn.RNN(3,4)(x)[0]",
    'torch.nn.RNN(3,4,nonlinearity="relu")(x)[0]',
    "torch.nn.LSTMCell(3,4)(x)[0]",
    "torch.nn.GRUCell(3,4)(x)",
    "torch.nn.RNNCell(3,4)(x)",
    "torch.nn.MultiheadAttention(3,1)(x,x,x)[0]",
    "torch.nn.TransformerEncoderLayer(3,1)(x)",
    "torch.nn.LayerNorm(3)(x)",
    "torch.nn.BatchNorm1d(3)(x)",
    "torch.nn.GroupNorm(1,3)(x)",
    "torch.nn.InstanceNorm1d(3,affine=True)(x[None])",
    "torch.nn.RMSNorm(3)(x)",
    "torch.nn.Bilinear(3,3,2)(x,x)",
    "torch.nn.Linear(3,2)(x)",
    "torch.nn.Conv2d(1,2,2)(v)",
    "torch.nn.Sequential(torch.nn.Conv2d(1,2,2),torch.nn.BatchNorm2d(2),torch.nn.ReLU())(v)",
    "torch.nn.PReLU()(x)",
]
KNOWN = (  # (call, dtypes) where Pullback takes what PyTorch refuses
    ("GRU(", "d"), ("LSTMCell", "d"), ("GRUCell", "d"), ("Bilinear", "bd"), ("F.bilinear", "m"), ("tensordot", "m"),
    ("multi_dot", "m"), ("chain_matmul", "m"),
)  # fmt: skip


def dtype_under_autocast(lib, call, dtype):
    """The dtype of a call's result in an autocast block, or None where it raises."""
    first = {"f": lib.float32, "b": lib.bfloat16, "d": lib.float64, "m": lib.float32}[dtype]
    lib.manual_seed(0)
    volume = (4, 4, 4) if "3d(v" in call or "v,(1,1,1,1,1,1)" in call else (4, 4)
    names = {
        "torch": lib, "F": lib.nn.functional, "I": lib.eye(3, dtype=first), "t": lib.tensor([0, 2, 1]),
        "x": lib.randn(3, 3).to(first), "y": lib.randn(3, 3).to(lib.bfloat16 if dtype == "m" else first),
        "v": lib.randn(1, 1, *volume).to(first), "k": lib.randn(3, 3, 3).to(first), "s": lib.tensor([1, -1, 1]),
    }  # fmt: skip
    with warnings.catch_warnings(), lib.autocast("cpu"):
        warnings.simplefilter("ignore")
        try:
            return str(eval(call, names).dtype)
        except (RuntimeError, ValueError, NotImplementedError):
            return None


@pytest.mark.parametrize("call", CALLS)
def test_each_call_runs_in_the_dtype_that_torch_runs_it_in(torch, call):
    for dtype in "fbdm":
        expected = dtype_under_autocast(torch, call, dtype)
        if expected is None and any(part in call and dtype in kinds for part, kinds in KNOWN):
            continue
        assert dtype_under_autocast(P, call, dtype) == expected, dtype


def model(lib):
    net = lib.nn.Sequential(
        lib.nn.Conv2d(1, 3, 3), lib.nn.BatchNorm2d(3), lib.nn.ReLU(), lib.nn.Flatten(), lib.nn.Linear(12, 4)
    )
    return net


@pytest.mark.parametrize("scaled", [False, True])
def test_training_under_autocast_goes_as_torchs(torch, scaled):
    losses = []
    for lib in (P, torch):
        lib.manual_seed(0)
        net = model(lib)
        optimizer = lib.optim.SGD(net.parameters(), lr=0.05)
        scaler = lib.amp.GradScaler("cpu", enabled=scaled, growth_interval=3)
        x, target = lib.randn(8, 1, 4, 4), lib.arange(8) % 4
        found = []
        for _ in range(8):
            optimizer.zero_grad()
            with lib.autocast("cpu", dtype=lib.bfloat16):
                out = net(x)
                loss = lib.nn.functional.cross_entropy(out, target)
            assert out.dtype is lib.bfloat16 and loss.dtype is lib.float32
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            lib.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            scaler.step(optimizer)
            scaler.update()
            found.append(loss.item())
        assert all(p.grad.dtype is lib.float32 for p in net.parameters())
        losses.append((found, scaler.get_scale()))
    assert losses[0][0] == pytest.approx(losses[1][0], rel=0.03) and losses[0][1] == losses[1][1]


# -- the block ---------------------------------------------------------------------------------------------------------


def product_dtype(lib=P):
    return lib.ones(2, 2).mm(lib.ones(2, 2)).dtype


def test_blocks_nest_and_end():
    with P.autocast("cpu"):
        assert product_dtype() is P.bfloat16 and P.is_autocast_enabled("cpu")
        with P.autocast("cpu", enabled=False):
            assert product_dtype() is P.float32 and not P.is_autocast_enabled("cpu")
        with P.autocast("cpu", P.float16):
            assert product_dtype() is P.float16 and P.get_autocast_dtype("cpu") is P.float16
        assert product_dtype() is P.bfloat16
        with pytest.raises(KeyError), P.autocast("cpu", P.float16):
            raise KeyError
        assert product_dtype() is P.bfloat16
    assert product_dtype() is P.float32 and P.get_autocast_dtype("cpu") is P.bfloat16


def test_a_decorated_function_runs_under_autocast():
    @P.autocast("cpu", dtype=P.float16)
    def inner(n):
        return product_dtype() if n == 0 else inner(n - 1)

    assert inner(2) is P.float16 and product_dtype() is P.float32


def test_other_threads_are_not_concerned():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool, P.autocast("cpu"):
        assert pool.submit(product_dtype).result() is P.float32


def test_operators_and_methods_are_cast_too():
    x = P.ones(2, 2)
    with P.autocast("cpu"):
        for found in (x @ x, x.matmul(x), x.mm(x), P.matmul(x, x), x.__matmul__(x)):
            assert found.dtype is P.bfloat16
        assert (x.bfloat16() @ x).dtype is P.bfloat16 and (x.double() @ x.double()).dtype is P.float64
        assert x.bfloat16().prod().dtype is P.float32


def test_a_parameter_is_cast_once_in_a_block_and_again_when_it_changed():
    weight, x = P.ones(2, 2, requires_grad=True), P.ones(2, 2)
    casts = lambda y: y.grad_fn.next_functions[1][0]
    with P.autocast("cpu"):
        first, second = x.mm(weight), x.mm(weight)
        assert casts(first) is casts(second)
        with P.no_grad():
            x.mm(weight)
            weight.mul_(2)
        assert x.mm(weight)[0, 0].item() == 4 and casts(x.mm(weight)) is not casts(first)
    with P.autocast("cpu", cache_enabled=False):
        assert casts(x.mm(weight)) is not casts(x.mm(weight))
    first.sum().backward()
    assert weight.grad.dtype is P.float32


def test_a_parameter_that_was_cast_without_grad_mode_still_gets_its_gradient():
    weight, x = P.ones(2, 2, requires_grad=True), P.ones(2, 2)
    with P.autocast("cpu"):
        with P.no_grad():
            x.mm(weight)
        x.mm(weight).sum().backward()
    assert weight.grad.tolist() == [[2, 2], [2, 2]]


def test_transforms_run_under_autocast():
    x = P.randn(3, 2, 2)
    with P.autocast("cpu"):
        assert P.func.vmap(lambda a: a @ a)(x).dtype is P.bfloat16
        assert P.func.grad(lambda a: (a @ a).float().sum())(x[0]).dtype is P.float32


def test_fast_paths_are_open_again_after_the_block():
    from pullback.tape.value import plain

    with P.autocast("cpu"):
        assert not plain
    assert plain


def test_listed_operations_exist():
    from pullback.amp import policies
    from pullback.ops.table import OVERLOADS

    names = [*policies.LOW, *policies.SINGLE, *policies.WIDEST, *policies.AS_FIRST, *policies.CONTRACTING]
    assert [name for name in names if name not in TABLE and name not in OVERLOADS] == []


# -- what is asked and set ---------------------------------------------------------------------------------------------

QUESTIONS = [
    "torch.autocast('cpu').fast_dtype", "torch.autocast('cpu', torch.float32)._enabled", "torch.autocast('cuda').fast_dtype",
    "torch.autocast('cuda')._enabled", "torch.autocast('mps')._enabled", "torch.autocast('cuda', enabled=False)._enabled",
    "torch.is_autocast_enabled()", "torch.is_autocast_enabled('cpu')", "torch.is_autocast_cpu_enabled()",
    "torch.get_autocast_dtype('cpu')", "torch.get_autocast_dtype('cuda')", "torch.get_autocast_cpu_dtype()",
    "torch.get_autocast_gpu_dtype()", "torch.is_autocast_cache_enabled()", "torch.autocast_increment_nesting()",
    "torch.autocast_decrement_nesting()", "torch.autocast('foo')", "torch.autocast(3)", "torch.autocast()",
    "torch.autocast('meta')", "torch.is_autocast_enabled('foo')", "torch.get_autocast_dtype('foo')",
    "torch.set_autocast_dtype('cpu', torch.float16)", "torch.get_autocast_dtype('cpu')",
    "torch.set_autocast_dtype('cpu', torch.bfloat16)", "torch.set_autocast_enabled('cpu', True)",
    "torch.is_autocast_enabled('cpu')", "torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype", "torch.clear_autocast_cache()",
    "torch.set_autocast_enabled('cpu', False)", "torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype",
    "torch.set_autocast_enabled(True)", "torch.is_autocast_enabled()", "torch.set_autocast_enabled(False)",
    "torch.set_autocast_cache_enabled(False)", "torch.autocast('cpu')._cache_enabled", "torch.set_autocast_cache_enabled(True)",
    *(f"torch.amp.is_autocast_available('{kind}')" for kind in ("cpu", "cuda", "meta", "foo")),
    "torch.cpu.amp.autocast().fast_dtype", "torch.cpu.amp.GradScaler().state_dict()", "torch.cuda.amp.autocast()._enabled",
    "torch.cuda.amp.GradScaler().is_enabled()", "torch.amp.GradScaler().is_enabled()", "torch.GradScaler('cpu').state_dict()",
    "torch.amp.GradScaler('cpu', enabled=False).state_dict()", "torch.amp.GradScaler('cpu', enabled=False).get_scale()",
    "torch.amp.GradScaler('cpu', growth_factor=1.0)", "torch.amp.GradScaler('cpu', backoff_factor=1.0)",
    "torch.amp.GradScaler('cpu').update()", "torch.amp.GradScaler('cpu').scale(3)", "torch.amp.GradScaler('cpu').load_state_dict({})",
    "torch.amp.GradScaler('cpu').scale([torch.ones(1), (torch.ones(1),)])[1][0].item()",
    "(torch.amp.GradScaler('cpu').scale(torch.tensor([0.5]).half()).item())",
    "torch.amp.GradScaler('cpu').step(torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.1))",
]  # fmt: skip


def answers(lib):
    found = []
    for question in QUESTIONS:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                answer = str(eval(question, {"torch": lib}))
            except (RuntimeError, ValueError, TypeError, AssertionError) as error:
                answer = type(error).__name__
        said = sorted((w.category.__name__, str(w.message).split(". ")[0]) for w in caught)
        found.append((question, answer, said))
    return found


def test_questions_and_settings_are_answered_as_torch_answers_them(torch):
    assert answers(P) == answers(torch)


@pytest.mark.parametrize("cast", [None, "float32", "float16"])
def test_custom_functions_choose_how_they_run(torch, cast):
    def run(lib, is_on):
        seen = []

        class Product(lib.autograd.Function):
            @staticmethod
            @lib.amp.custom_fwd(device_type="cpu", cast_inputs=cast and getattr(lib, cast))
            def forward(ctx, x, y):
                ctx.save_for_backward(x, y)
                seen.append((str(x.dtype), str(x.mm(y).dtype)))
                return x.mm(y)

            @staticmethod
            @lib.amp.custom_bwd(device_type="cpu")
            def backward(ctx, grad):
                x, y = ctx.saved_tensors
                seen.append((str(grad.dtype), lib.is_autocast_enabled("cpu"), str(x.mm(x).dtype)))
                return grad.to(x.dtype).mm(y.T.to(x.dtype)).float(), None

        x = lib.ones(2, 2, requires_grad=True)
        with lib.autocast("cpu", enabled=is_on):
            out = Product.apply(x, lib.ones(2, 2))
        out.sum().backward()
        return seen, str(out.dtype), str(x.grad.dtype)

    for is_on in (True, False):
        assert run(P, is_on) == run(torch, is_on)


# -- scaling -----------------------------------------------------------------------------------------------------------


def test_a_scaler_backs_off_and_grows_as_torchs(torch):
    def run(lib):
        weight = lib.tensor([1.0, 2.0], requires_grad=True)
        optimizer = lib.optim.SGD([weight], lr=0.1)
        scaler = lib.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2, growth_factor=4.0, backoff_factor=0.25)
        history = []
        for factor in (1.0, 1.0, float("inf"), 1.0, float("nan"), 1.0, 1.0, 1.0):
            optimizer.zero_grad()
            scaler.scale((weight * factor).sum()).backward()
            scaler.step(optimizer)
            scaler.update()
            history.append((scaler.get_scale(), scaler.state_dict(), weight.tolist()))
        scaler.update(3.0)
        return history, scaler.get_scale()

    assert run(P) == run(torch)


def test_a_scaler_refuses_a_wrong_order(torch):
    for lib in (P, torch):
        weight = lib.ones(1, requires_grad=True)
        optimizer, scaler = lib.optim.SGD([weight], lr=0.1), lib.amp.GradScaler("cpu")
        scaler.scale(weight.sum()).backward()
        scaler.unscale_(optimizer)
        with pytest.raises(RuntimeError, match="already been called on this optimizer since the last update"):
            scaler.unscale_(optimizer)
        with pytest.raises(RuntimeError, match="Closure use is not currently supported"):
            scaler.step(optimizer, closure=None)
        scaler.step(optimizer)
        with pytest.raises(RuntimeError, match="already been called since the last update"):
            scaler.step(optimizer)
        with pytest.raises(RuntimeError, match="being called after step"):
            scaler.unscale_(optimizer)
        with pytest.raises(AssertionError):
            pickle.dumps(scaler)
        scaler.update()
        assert pickle.loads(pickle.dumps(scaler)).state_dict() == scaler.state_dict()
        half = lib.ones(1, dtype=lib.float16, requires_grad=True)
        half.grad = lib.ones(1, dtype=lib.float16)
        with pytest.raises(ValueError, match="Attempting to unscale FP16 gradients"):
            scaler.unscale_(lib.optim.SGD([half], lr=0.1))
        with pytest.raises(AssertionError, match="No inf checks were recorded for this optimizer"):
            scaler.step(lib.optim.SGD([lib.ones(1, requires_grad=True)], lr=0.1))


def test_a_scalers_state_is_loaded(torch):
    for lib in (P, torch):
        scaler = lib.amp.GradScaler("cpu")
        scaler.scale(lib.ones(1))
        state = {"scale": 4.0, "growth_factor": 3.0, "backoff_factor": 0.1, "growth_interval": 5, "_growth_tracker": 2}
        scaler.load_state_dict(state)
        assert scaler.state_dict() == state and scaler.scale(lib.ones(1)).item() == 4
