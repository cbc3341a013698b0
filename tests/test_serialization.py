"""Files of ``torch.save``: what PyTorch writes is read here, what is written here is read by PyTorch, and hostile files by no one."""

import io
import os
import pickle
import random
import signal
import struct
import subprocess
import sys
import time
import zipfile
from collections import Counter, OrderedDict, defaultdict

import numpy as np
import pytest

import pullback as P

DTYPES = (
    *(
        "bool",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "int8",
        "int16",
        "int32",
        "int64",
        "float16",
        "bfloat16",
        "float32",
    ),
    *("float64", "complex64", "complex128"),
)


def numbers(lib, dtype):
    return lib.tensor([[0, 1, 2], [3, 4, 5]]).to(getattr(lib, dtype))


def trained(lib):
    """A model and an optimizer after a step."""
    lib.manual_seed(0)
    model = lib.nn.Sequential(lib.nn.Linear(3, 2), lib.nn.BatchNorm1d(2))
    optimizer = lib.optim.Adam(model.parameters(), amsgrad=True)
    model(lib.ones(4, 3)).pow(2).sum().backward()
    optimizer.step()
    return {"epoch": 3, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "best": 0.5}


def with_attributes(tensor, **attributes):
    tensor.__dict__.update(attributes)
    return tensor


def with_metadata():
    found = OrderedDict(a=1)
    found._metadata = {"": {"version": 2}}
    return found


OBJECTS = {
    **{dtype: lambda lib, dtype=dtype: numbers(lib, dtype) for dtype in DTYPES},
    "strided": lambda lib: [numbers(lib, "float32").t(), lib.arange(20)[3::4], lib.ones(1).expand(3, 4)],
    "empty": lambda lib: [lib.empty(0), lib.empty(3, 0, 2), lib.tensor(1.5)],
    "conjugate": lambda lib: lib.tensor([1 + 2j, 3j]).conj(),
    "leaf": lambda lib: lib.ones(2, requires_grad=True),
    "not a leaf": lambda lib: lib.ones(2, requires_grad=True) * 2,
    "parameters": lambda lib: [lib.nn.Parameter(lib.ones(2)), lib.nn.Parameter(lib.zeros(1), requires_grad=False)],
    "attributes": lambda lib: [
        with_attributes(lib.nn.Parameter(lib.ones(2)), tag="a"), with_attributes(lib.ones(2), scale=[lib.ones(1)]),
    ],
    "checkpoint": trained,
    "ordered": lambda lib: with_metadata(),
    "names": lambda lib: [lib.float32, lib.bool, lib.bfloat16, lib.Size([2, 3]), lib.device("cpu"), lib.strided],
    "python": lambda lib: [
        *(1, -(2**70), 2.5, 1j, True, None, "é", b"\0\xff", bytearray(b"x"), (1, (2, [])), {1, "a"}, {"a": {(1, 2): 3}}),
        Counter("aab"),
    ],
}  # fmt: skip

# PyTorch cannot read its own old format for the wide unsigned dtypes.
BOTH_FORMATS = [(name, zipped) for name in OBJECTS for zipped in (True, False) if zipped or name not in DTYPES[2:5]]


def shown(value):
    """A value in terms that do not depend on the library."""
    if type(value).__name__ in ("Tensor", "Parameter"):
        own = {k: shown(v) for k, v in value.__dict__.items() if not hasattr(P.Tensor, k)}
        facts = (type(value).__name__, str(value.dtype), tuple(value.shape), value.stride(), value.storage_offset())
        return facts, value.requires_grad, value.is_leaf, value.detach().tolist(), own
    if isinstance(value, dict):
        return type(value).__name__, {k: shown(v) for k, v in value.items()}, getattr(value, "_metadata", None)
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [shown(v) for v in value]
    return type(value).__name__, str(value)


def content(lib, value, **options):
    file = io.BytesIO()
    lib.save(value, file, **options)
    return file.getvalue()


def load(lib, data, **options):
    return lib.load(io.BytesIO(data), **options)


@pytest.mark.parametrize("name, zipped", BOTH_FORMATS)
def test_what_torch_saves_is_loaded_here_as_torch_loads_it(torch, name, zipped):
    data = content(torch, OBJECTS[name](torch), _use_new_zipfile_serialization=zipped)
    expected = load(torch, data)
    assert shown(load(P, data)) == shown(expected)
    assert shown(load(P, data, weights_only=False)) == shown(expected)


@pytest.mark.parametrize("name, zipped", BOTH_FORMATS)
def test_what_is_saved_here_is_loaded_by_torch(torch, name, zipped):
    data = content(P, OBJECTS[name](P), _use_new_zipfile_serialization=zipped)
    assert shown(load(torch, data)) == shown(load(P, data))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", OBJECTS)
def test_what_is_saved_comes_back(name, protocol):
    value = OBJECTS[name](P)
    found = load(P, content(P, value, pickle_protocol=protocol))
    if name == "not a leaf":
        value = value.detach().requires_grad_()
    assert shown(found) == shown(value)


def test_what_torch_negates_only_when_it_is_used_is_loaded_negated(torch):
    data = content(torch, torch.tensor([1 + 2j, 3j]).conj().imag)
    assert load(P, data).tolist() == [-2, -3]


def test_a_shared_storage_is_written_once_and_shared_again(torch):
    x = P.arange(1000.0)
    data = content(P, {"all": x, "part": x[10:20], "other": x.reshape(10, 100).t(), "bits": x.view(P.int32)})
    assert len(data) < 6000
    for lib in (P, torch):
        found = load(lib, data)
        found["all"][10] = 1.0
        assert found["part"][0] == 1 and found["other"][10, 0] == 1 and found["bits"][10] == 0x3F800000
        assert found["bits"].dtype == lib.int32


def test_tied_parameters_stay_tied():
    weight = P.nn.Parameter(P.ones(2))
    a, b = load(P, content(P, [weight, weight]))
    assert a is b


def test_a_state_dict_of_torch_continues_training_here(torch):
    saved = load(P, content(torch, trained(torch)))
    model = P.nn.Sequential(P.nn.Linear(3, 2), P.nn.BatchNorm1d(2))
    optimizer = P.optim.Adam(model.parameters(), amsgrad=True)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    assert shown(optimizer.state_dict()) == shown(saved["optimizer"])
    assert shown(dict(model.state_dict())) == shown(dict(saved["model"]))


# -- places ------------------------------------------------------------------------------------------------------------


def test_paths_and_file_objects(tmp_path):
    for path in (tmp_path / "a.pt", str(tmp_path / "b")):
        P.save([P.ones(2)], path)
        assert P.load(path)[0].tolist() == [1, 1]
        with open(path, "rb") as file:
            assert P.load(file)[0].tolist() == [1, 1]
    with open(tmp_path / "c", "wb") as file:
        P.save(1, file)
    assert P.load(tmp_path / "c") == 1
    assert [name.split("/")[0] for name in zipfile.ZipFile(tmp_path / "a.pt").namelist()] == ["a"] * 7


def test_a_file_that_can_only_be_written(torch):
    class Sink:
        def __init__(self):
            self.parts = []

        def write(self, data):
            self.parts.append(bytes(data))
            return len(data)

        def flush(self):
            pass

    sink = Sink()
    P.save({"a": P.ones(3)}, sink)
    for lib in (P, torch):
        assert load(lib, b"".join(sink.parts))["a"].tolist() == [1, 1, 1]


def test_equal_objects_make_equal_files():
    assert content(P, trained(P)) == content(P, trained(P))


def test_storages_lie_at_multiples_of_64_bytes(tmp_path, torch):
    P.save({"a": P.arange(5), "b": P.ones(3)}, tmp_path / "x.pt")
    raw = (tmp_path / "x.pt").read_bytes()
    for info in zipfile.ZipFile(tmp_path / "x.pt").infolist():
        name, extra = struct.unpack("<HH", raw[info.header_offset + 26 : info.header_offset + 30])
        assert (info.header_offset + 30 + name + extra) % 64 == 0
    assert torch.load(tmp_path / "x.pt", mmap=True)["a"].tolist() == [0, 1, 2, 3, 4]


def test_a_mapped_file_is_not_changed_by_writes(tmp_path, torch):
    torch.save({"a": torch.arange(5.0), "b": torch.empty(0)}, tmp_path / "x.pt")
    found = P.load(tmp_path / "x.pt", mmap=True)
    found["a"][0] = 9
    assert found["a"].tolist() == [9, 1, 2, 3, 4]
    assert P.load(tmp_path / "x.pt")["a"].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="f must be a file path in order to use the mmap argument"):
        P.load(io.BytesIO(), mmap=True)
    P.save(1, tmp_path / "old", _use_new_zipfile_serialization=False)
    with pytest.raises(RuntimeError, match="mmap can only be used with files saved with"):
        P.load(tmp_path / "old", mmap=True)


def rewritten(data, change):
    """An archive with its records changed; None leaves one out."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            record = change(name.partition("/")[2], old.read(name))
            if record is not None:
                new.writestr(name, record)
    return made.getvalue()


def from_cuda():
    data = content(P, {"a": P.ones(2)})
    return rewritten(data, lambda _, record: record.replace(b"X\3\0\0\0cpu", b"X\6\0\0\0cuda:0"))


@pytest.mark.parametrize(
    "place", ["cpu", b"cpu", P.device("cpu"), {"cuda:0": "cpu"}, lambda storage, location: storage]
)
def test_cuda_tensors_go_where_map_location_says(place):
    assert load(P, from_cuda(), map_location=place)["a"].tolist() == [1, 1]


@pytest.mark.parametrize("place", [None, "cuda", {"cpu": "cpu"}, lambda storage, location: None])
def test_cuda_tensors_are_refused_without_map_location(torch, place):
    for lib in (P, torch):
        with pytest.raises(RuntimeError, match="Attempting to deserialize object on a CUDA device but"):
            load(lib, from_cuda(), map_location=place)


def test_other_bytes_orders_are_read(torch):
    values = {"a": P.tensor([1.0, 2.0]), "b": P.tensor([1 + 2j]), "c": P.tensor([True])}
    sizes = iter([4, 4, 1])

    def change(name, record):
        if name == "byteorder":
            return b"big"
        if name.startswith("data/"):
            size = next(sizes)
            return np.frombuffer(record, f"u{size}").byteswap().tobytes()
        return record

    assert shown(load(P, rewritten(content(P, values), change))) == shown(values)


# -- atomic writes -----------------------------------------------------------------------------------------------------


def test_an_object_that_cannot_be_pickled_leaves_the_old_file(tmp_path):
    P.save("old", tmp_path / "x.pt")
    with pytest.raises((AttributeError, pickle.PicklingError)):
        P.save(["new", lambda: 0], tmp_path / "x.pt")
    assert P.load(tmp_path / "x.pt") == "old"
    assert os.listdir(tmp_path) == ["x.pt"]


SAVE_FOR_EVER = """
import sys
import pullback as P
number = 0
while True:
    P.save([P.full((1_000_000,), float(number)) for _ in range(5)], sys.argv[1])
    print(number, flush=True)
    number += 1
"""


def test_a_process_that_is_killed_while_it_saves_leaves_a_whole_file(tmp_path):
    path = tmp_path / "x.pt"
    chance = random.Random(0)
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", SAVE_FOR_EVER, path], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(0.05 * chance.random())
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        found = P.load(path)
        assert len({t[0].item() for t in found}) == 1 and all(bool((t == t[0]).all()) for t in found)


def test_links_permissions_and_devices_are_kept(tmp_path):
    P.save(1, tmp_path / "x.pt")
    os.chmod(tmp_path / "x.pt", 0o600)
    os.symlink(tmp_path / "x.pt", tmp_path / "link")
    P.save(2, tmp_path / "link")
    assert P.load(tmp_path / "x.pt") == 2 and os.path.islink(tmp_path / "link")
    assert os.stat(tmp_path / "x.pt").st_mode & 0o777 == 0o600
    P.save(P.ones(2), os.devnull)
    assert not os.path.isfile(os.devnull)


def test_errors_of_places(tmp_path, torch):
    for lib in (P, torch):
        with pytest.raises(RuntimeError, match=r"Parent directory .*nowhere does not exist"):
            lib.save(1, tmp_path / "nowhere" / "x.pt")
        with pytest.raises(
            AttributeError, match="expected 'f' to be string, path, or a file-like object with a 'write'"
        ):
            lib.save(1, 3)
        with pytest.raises(AttributeError, match=r"You can only torch\.load from a file that is seekable"):
            lib.load(3)
        with pytest.raises(FileNotFoundError):
            lib.load(tmp_path / "nothing")
        with pytest.raises(EOFError):
            lib.load(io.BytesIO())
        with pytest.raises(RuntimeError, match="explicit pickle_module"):
            load(lib, content(lib, 1), pickle_module=pickle, weights_only=True)


# -- files of strangers ------------------------------------------------------------------------------------------------


class Hostile:
    """Whoever unpickles this, calls a function."""

    def __init__(self, function, *args):
        self.reduced = function, args

    def __reduce__(self):
        return self.reduced


class Net(P.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = P.nn.Linear(2, 2)
        self.history = defaultdict(list, {"loss": [0.5]})

    def forward(self, x):
        return self.layer(x)


def ran(*args):
    raise AssertionError("code of the file ran")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "value, name",
    [
        (Hostile(os.system, "echo"), "(posix|nt).system whose module"),
        (Hostile(ran), "ran was not an allowed global"),
        (Hostile(eval, "1"), "builtins.eval"),
        (Hostile(getattr, 1, "real"), "builtins.getattr"),
        ([print], "builtins.print"),
        (Net(), "Net was not an allowed global"),
        (np.ones(2), "numpy"),
        (range(3), "builtins.range"),
    ],
)
def test_what_is_not_on_the_list_is_named_and_not_run(value, name, zipped):
    for protocol in (2, 5):
        data = content(P, value, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
        with pytest.raises(pickle.UnpicklingError, match=f"(?s)Weights only load failed.*{name}"):
            load(P, data)


def test_modules_are_loaded_whole_when_asked_for(torch):
    model = Net()
    data = content(P, model)
    assert P.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(data)) == [
        "builtins.list",
        "collections.defaultdict",
        f"{__name__}.Net",
        "torch.nn.Linear",
    ]
    found = load(P, data, weights_only=False)
    x = P.ones(1, 2)
    assert found(x).tolist() == model(x).tolist() and found.history == model.history
    with P.serialization.safe_globals([Net, P.nn.Linear, defaultdict, list]):
        assert load(P, data)(x).tolist() == model(x).tolist()
    with pytest.raises(pickle.UnpicklingError):
        load(P, data)
    plain = P.nn.Sequential(P.nn.Linear(2, 2), P.nn.Tanh())
    there = load(torch, content(P, plain), weights_only=False)
    assert there(torch.ones(1, 2))[0].tolist() == pytest.approx(plain(x)[0].tolist())


def test_what_the_user_allows_is_listed_and_loaded():
    S = P.serialization
    try:
        S.add_safe_globals([range, (Net, "somewhere.Net")])
        assert S.get_safe_globals() == [range, (Net, "somewhere.Net")]
        assert load(P, content(P, range(3))) == range(3)
        with S.safe_globals([Net]):
            assert Net in S.get_safe_globals()
        assert Net not in S.get_safe_globals()
    finally:
        S.clear_safe_globals()
    assert S.get_safe_globals() == []
    with pytest.raises(pickle.UnpicklingError):
        load(P, content(P, range(3)))


def pickle_of(code):
    """An archive around a pickle."""
    return rewritten(content(P, P.ones(2)), lambda name, record: code if name == "data.pkl" else record)


TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" + b"0X\3\0\0\0cpu"


def tensor_of(numel=b"K\2", offset=b"K\0", size=b"K\2\x85", stride=b"K\1\x85"):
    return b"\x80\2" + TENSOR + numel + b"tQ" + offset + size + stride + b"\x89)tR."


HOSTILE = {
    "an attribute of a class": b"\x80\2ctorch\nTensor\n}X\3\0\0\0sumK\1sb.",
    "an attribute of a function": b"\x80\2ctorch._utils\n_rebuild_tensor\n}X\1\0\0\0aK\1sb.",
    "an attribute of all tensors": b"\x80\2ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nctorch\nTensor\n"
    + tensor_of()[2:-1].removeprefix(b"ctorch._utils\n_rebuild_tensor_v2\n").removesuffix(b"R")
    + b"}X\5\0\0\0_datatR.",
    "a call of what is no function": b"\x80\2K\1)R.",
    "a call of a list": b"\x80\2])R.",
    "arguments that are no tuple": b"\x80\2c__builtin__\nset\n]R.",
    "many bytes": b"\x80\2c__builtin__\nbytearray\n\x8a\5\xff\xff\xff\xff\x7f\x85R.",
    "much memory for a text": b"\x80\2X\xff\xff\xff\x7fabc.",
    "more memory for a text": b"\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
    "a huge place in the memo": b"\x80\2Nj\xff\xff\xff\x7f.",
    "a memo of nothing": b"\x80\2q\0.",
    "a key that never hashes": b"\x80\2})" + b"2\x86" * 60 + b"K\1s.",
    "a set that never hashes": b"\x80\4\x8f()" + b"2\x86" * 60 + b"\x90.",
    "a frozen set that never hashes": b"\x80\4()" + b"2\x86" * 60 + b"\x91.",
    "an ordered dict that never hashes": b"\x80\2ccollections\nOrderedDict\n])" + b"2\x86" * 60 + b"K\1\x86a\x85R.",
    "a key of great depth": b"\x80\2})" + b"\x85" * 100_000 + b"K\1s.",
    "a key that is a list": b"\x80\2}]K\1s.",
    "no value": b"\x80\2.",
    "a mark that is not there": b"\x80\2t.",
    "values beyond a mark": b"\x80\2K\1(a.",
    "an id that is a text": b"\x80\2X\1\0\0\0aQ.",
    "an id of something else": b"\x80\2X\1\0\0\0a\x85Q.",
    "no end": b"\x80\2N",
    "nothing": b"",
    "an unknown instruction": b"\x80\2\xff.",
    "text that is none": b"\x80\2X\1\0\0\0\xff.",
    "a module by its file": b"\x80\2cos\nsystem\nX\2\0\0\0ls\x85R.",
    "a dotted name": b"\x80\4\x8c\5torch\x8c\x0fserialization.os\x93.",
    "a foreign codec": b"\x80\2c_codecs\nencode\nX\1\0\0\0aX\4\0\0\0zlib\x86R.",
    "a tensor beyond its storage": tensor_of(size=b"K\3\x85"),
    "a tensor behind its storage": tensor_of(offset=b"K\2"),
    "a tensor before its storage": tensor_of(offset=b"J\xff\xff\xff\xff"),
    "a negative stride": tensor_of(offset=b"K\1", stride=b"J\xff\xff\xff\xff\x85"),
    "a huge stride": tensor_of(stride=b"\x8a\x09\0\0\0\0\0\0\0\0\1\x85"),
    "a huge size": tensor_of(size=b"\x8a\x08\0\0\0\0\0\0\0\x30\x85"),
    "a size that is no number": tensor_of(size=b"N\x85"),
    "fewer strides": tensor_of(stride=b")"),
    "a longer storage": tensor_of(numel=b"J\xff\xff\xff\x7f"),
    "a negative storage": tensor_of(numel=b"J\xff\xff\xff\xff"),
    "a sparse tensor": b"\x80\2ctorch._utils\n_rebuild_sparse_tensor\n)R.",
    "a dtype that is not here": b"\x80\2ctorch\nfloat8_e5m2\n.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused(name):
    before = P.Tensor.sum
    with pytest.raises((pickle.UnpicklingError, EOFError, RuntimeError)) as error:
        load(P, pickle_of(HOSTILE[name]))
    assert str(error.value) and len(str(error.value)) < 2000
    assert P.Tensor.sum is before and P.ones(2).sum().item() == 2


def test_an_expanded_tensor_of_any_size_takes_no_memory():
    huge = tensor_of(size=b"\x8a\x06\0\0\0\0\0\1\x85", stride=b"K\0\x85")
    assert load(P, pickle_of(huge)).shape == (1 << 40,)


def test_archives_that_lie_are_refused():
    data = content(P, {"a": P.ones(2)})
    changes = {
        "failed locating file data/0": lambda name, record: None if name == "data/0" else record,
        "failed locating file data.pkl": lambda name, record: None if name == "data.pkl" else record,
        'hasRecord."version".': lambda name, record: None if name == "version" else record,
        "does not match expected size": lambda name, record: record[:4] if name == "data/0" else record,
    }
    for message, change in changes.items():
        with pytest.raises(RuntimeError, match=message):
            load(P, rewritten(data, change))
    with pytest.raises(RuntimeError, match="failed finding central directory"):
        load(P, data[:-30])
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/version", "3")
        file.writestr("a/data.pkl", bytes(1 << 28))
    with pytest.raises(RuntimeError, match="its records claim"):
        load(P, bomb.getvalue())


@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_files_raise_one_of_three_errors(zipped):
    chance = random.Random(0)
    whole = content(P, trained(P), _use_new_zipfile_serialization=zipped)
    for trial in range(300):
        data = bytearray(whole)
        if trial % 3 == 0:
            del data[chance.randrange(len(data)) :]
        for _ in range(chance.randrange(1, 8)):
            if data:
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        try:
            load(P, bytes(data))
        except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError):
            pass


@pytest.mark.parametrize("protocol", [2, 5])
def test_damaged_pickles_raise_one_of_three_errors(protocol):
    chance = random.Random(1)
    whole = content(P, trained(P), pickle_protocol=protocol)
    code = zipfile.ZipFile(io.BytesIO(whole)).read("archive/data.pkl")
    for _ in range(150):
        damaged = bytearray(code)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        data = rewritten(whole, lambda name, record, damaged=damaged: bytes(damaged) if name == "data.pkl" else record)
        try:
            load(P, data)
        except (pickle.UnpicklingError, RuntimeError, EOFError):
            pass


# -- other formats -----------------------------------------------------------------------------------------------------


def test_npz_files_hold_tensors(tmp_path):
    np.savez(tmp_path / "x.npz", a=P.arange(3), b=P.ones(2, 2))
    with np.load(tmp_path / "x.npz") as found:
        assert P.from_numpy(found["a"]).tolist() == [0, 1, 2] and P.tensor(found["b"]).shape == (2, 2)


def test_safetensors_of_torch_are_read_here_and_ours_there(tmp_path, torch):
    from safetensors.torch import load_file, save_file

    from pullback.utils import safetensors as ours

    names = [name for name in DTYPES if name != "complex128"]
    save_file({name: numbers(torch, name) for name in names}, tmp_path / "there")
    ours.save_file({name: numbers(P, name).t() for name in names}, tmp_path / "here", {"by": "us"})
    for name, tensor in ours.load_file(tmp_path / "there").items():
        assert shown(tensor) == shown(numbers(P, name))
    for name, tensor in load_file(tmp_path / "here").items():
        assert tensor.tolist() == numbers(torch, name).t().tolist()


def test_an_interrupted_safetensors_file_leaves_the_old_one(tmp_path, monkeypatch):
    from pullback.utils import safetensors as ours

    ours.save_file({"a": P.ones(1)}, tmp_path / "x")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        ours.save_file({"a": P.zeros(1)}, tmp_path / "x")
    assert ours.load_file(tmp_path / "x")["a"].tolist() == [1] and os.listdir(tmp_path) == ["x"]


def test_models_and_optimizers_are_pickled_and_copied():
    import copy

    model = Net()
    optimizer = P.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(P.ones(1, 2)).sum().backward()
    optimizer.step()
    for copied, its_optimizer in (pickle.loads(pickle.dumps((model, optimizer))), copy.deepcopy((model, optimizer))):
        assert shown(dict(copied.state_dict())) == shown(dict(model.state_dict()))
        assert its_optimizer.param_groups[0]["params"][0] is copied.layer.weight
        assert shown(its_optimizer.state_dict()) == shown(optimizer.state_dict())


def test_parts_of_mapped_files_become_tensors(tmp_path):
    (tmp_path / "bytes").write_bytes(bytes(range(8)))
    part = P.UntypedStorage.from_file(tmp_path / "bytes", False, 8)[4:8]
    assert part.nbytes() == 4 and part.tolist() == [4, 5, 6, 7]
    assert P.asarray(part, dtype=P.uint8).view(P.int16).tolist() == [0x0504, 0x0706]
