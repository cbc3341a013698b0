"""What scripts say to PyTorch around the engine: devices that are not there, the network, exporters, processes."""

import importlib
import os
import sys

import pytest

import pullback as pb

ANSWERED = [
    "cuda.is_available()", "cuda.device_count()", "cuda.memory_allocated()", "cuda.max_memory_reserved()",
    "cuda.empty_cache()", "cuda.is_initialized()", "cuda.is_bf16_supported()", "cuda.manual_seed_all(1)", "cuda.seed()",
    "cuda.get_rng_state_all()", "cuda.get_arch_list()", "cuda.stream(None).__enter__()", "cuda.memory_stats()",
    "cuda.device(-1).__enter__()", "mps.is_available()", "mps.device_count()", "mps.manual_seed(1)", "xpu.is_available()",
    "xpu.device_count()", "xpu.empty_cache()", "accelerator.is_available()", "accelerator.current_accelerator()",
    "accelerator.device_count()", "distributed.is_initialized()", "distributed.is_nccl_available()", "version.cuda",
    "backends.cudnn.is_available()", "backends.mps.is_available()", "multiprocessing.get_sharing_strategy()",
    "multiprocessing.get_all_sharing_strategies()", "multiprocessing.cpu_count()", "compiler.is_compiling()",
    "cuda.OutOfMemoryError is torch.OutOfMemoryError", "onnx.is_in_onnx_export()", "hub.get_dir()",
]  # fmt: skip
REFUSED = [
    "cuda.current_device()", "cuda.get_device_name(0)", "cuda.synchronize()", "cuda.get_device_properties(0)",
    "cuda.device(0).__enter__()", "cuda.Stream()", "cuda.Event(enable_timing=True)", "cuda.initial_seed()",
    "cuda.current_stream()", "cuda.mem_get_info()", "mps.empty_cache()", "mps.synchronize()", "xpu.synchronize()",
    "accelerator.synchronize()", "accelerator.current_device_index()",
    "compile(torch.sin, mode='default', options={})", "multiprocessing.set_sharing_strategy('x')",
]  # fmt: skip


def said(torch, line):
    return eval(line.replace("torch.", "").replace("is Out", "is torch.Out"), {**names(torch), "torch": torch})


def names(torch):
    first = {line.partition(".")[0].partition("(")[0] for line in [*ANSWERED, *REFUSED]}
    return {
        name: importlib.import_module(f"{torch.__name__}.{name}") if name != "compile" else torch.compile
        for name in first
    }


@pytest.mark.parametrize("line", ANSWERED)
def test_questions_have_the_answers_of_a_pytorch_without_gpus(line, torch):
    assert said(pb, line) == said(torch, line)


@pytest.mark.parametrize("line", REFUSED)
def test_what_needs_a_gpu_raises_what_pytorch_raises(line, torch):
    with pytest.raises(Exception) as expected:
        said(torch, line)
    with pytest.raises(type(expected.value)):
        said(pb, line)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: pb.hub.load("pytorch/vision", "resnet18"), "fetches nothing from the network.*'resnet18' of"),
        (lambda: pb.hub.load_state_dict_from_url("https://x.org/a.pth"), r"Fetch https://x.org/a.pth yourself.*a\.pth"),
        (lambda: pb.hub.list("pytorch/vision"), "fetches nothing"),
        (lambda: pb.onnx.export(None, None, "x"), "no exporter"),
        (lambda: pb.export.export(None, None), "no exporter"),
        (lambda: pb.utils.cpp_extension.load("x", []), r"C\+\+"),
        (lambda: pb.distributed.init_process_group("gloo"), "init_process_group: Pullback trains in one process"),
    ],
)
def test_what_is_not_here_is_refused_with_a_sentence(call, message):
    with pytest.raises(RuntimeError, match=message):
        call()


def test_weights_that_lie_there_already_are_loaded_as_from_the_network(tmp_path):
    pb.save({"w": pb.ones(2)}, tmp_path / "w.pth")
    found = pb.hub.load_state_dict_from_url("https://nowhere.example/deep/w.pth?x=1", model_dir=tmp_path)
    assert found["w"].tolist() == [1, 1] and pb.utils.model_zoo.load_url is pb.hub.load_state_dict_from_url


def test_tensorboard_is_tensorboardx_or_a_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    monkeypatch.delitem(sys.modules, "pullback.utils.tensorboard", raising=False)
    with pytest.raises(ImportError, match="pip install tensorboardX"):
        importlib.import_module("pullback.utils.tensorboard")
    found = type(sys)("tensorboardX")
    found.SummaryWriter = found.FileWriter = found.RecordWriter = object
    monkeypatch.setitem(sys.modules, "tensorboardX", found)
    assert importlib.import_module("pullback.utils.tensorboard").SummaryWriter is object


def test_compile_gives_back_what_it_is_given():
    model = pb.nn.Linear(2, 2)
    assert pb.compile(model, mode="max-autotune") is model

    @pb.compile
    def f(x):
        return x + 1

    @pb.compile(fullgraph=True, dynamic=False)
    def g(x):
        return f(x)

    assert g(pb.ones(1)).item() == 2
    with pytest.raises(TypeError, match="expected a function or a module, got a int"):
        pb.compile(3)


def test_a_statement_is_timed(capsys):
    from pullback.utils import benchmark

    timer = benchmark.Timer("x.sin()", globals={"x": pb.ones(3)}, label="sine", sub_label="three", description="pb")
    assert timer.timeit(3).number_per_run == 3
    found = timer.blocked_autorange(min_run_time=0.01)
    assert sum(found.raw_times) >= 0.01 and 0 < found.median < 0.01 and "sine" in repr(found)
    benchmark.Compare([found]).print()
    assert capsys.readouterr().out.split()[:5] == ["sine", "|", "pb", "three", "|"]


def test_a_report_names_what_is_installed(capsys):
    pb.utils.collect_env.main()
    assert "Pullback version" in capsys.readouterr().out and "NumPy" in pb.__config__.show()


# -- processes ---------------------------------------------------------------------------------------------------------


def work(index, failing, how):
    if index == failing:
        how()


def fail():
    raise ValueError("in the child")


def leave():
    os._exit(3)


def test_a_function_runs_in_several_processes():
    from pullback import multiprocessing as mp

    assert mp.start_processes(work, (9, fail), nprocs=2, start_method="fork") is None
    context = mp.start_processes(work, (9, fail), nprocs=2, join=False, start_method="fork")
    while not context.join(5):
        pass
    with pytest.raises(
        mp.ProcessRaisedException, match=r"(?s)Process 1 terminated.*ValueError: in the child"
    ) as raised:
        mp.start_processes(work, (1, fail), nprocs=2, start_method="fork")
    assert raised.value.error_index == 1
    with pytest.raises(mp.ProcessExitedException, match="process 0 terminated with exit code 3") as raised:
        mp.start_processes(work, (0, leave), nprocs=1, start_method="fork")
    assert raised.value.exit_code == 3


def test_a_function_runs_in_a_fresh_process():
    from pullback import multiprocessing as mp

    mp.spawn(work, (9, fail), nprocs=1)


def fill(tensor):
    tensor.fill_(3)


def test_shared_memory_is_seen_by_forked_processes():
    from pullback import multiprocessing as mp

    model = pb.nn.Linear(2, 2)
    model.share_memory()
    x, y = pb.zeros(3, dtype=pb.bfloat16).share_memory_(), pb.zeros(3)
    assert x.is_shared() and x.share_memory_() is x and not y.is_shared() and model.weight.is_shared()
    for tensor in (x, y, model.weight.data):
        process = mp.get_context("fork").Process(target=fill, args=(tensor,))
        process.start()
        process.join()
    assert x.tolist() == [3, 3, 3] and y.tolist() == [0, 0, 0] and (model.weight == 3).all()
