"""``torch.hub``: code and weights from the network, which Pullback never fetches."""

import os
from pathlib import Path
from typing import Any, NoReturn

__all__ = [
    "download_url_to_file", "get_dir", "help", "list", "load", "load_state_dict_from_url", "set_dir",
]  # fmt: skip

_dir: Any = None


def get_dir() -> str:
    """The folder where PyTorch keeps what it fetched: ``$TORCH_HOME/hub``, or what was set."""
    home = os.environ.get("TORCH_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch")
    return str(_dir) if _dir is not None else os.path.join(os.path.expanduser(home), "hub")


def set_dir(d: str | os.PathLike) -> None:
    """Say in which folder files lie that were fetched before."""
    global _dir
    _dir = os.path.expanduser(d)


def load_state_dict_from_url(
    url: str,
    model_dir: Any = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = True,
) -> Any:
    """The weights of a file that PyTorch has fetched before; nothing is fetched.

    Raises:
        RuntimeError: the file is not there; the message says where it is to be put.
    """
    from .serialization import load as load_file

    folder = Path(model_dir or Path(get_dir()) / "checkpoints")
    file = folder / (file_name or os.path.basename(url.partition("?")[0].partition("#")[0]))
    if not file.is_file():
        raise RuntimeError(
            f"torch.hub.load_state_dict_from_url: Pullback fetches nothing from the network. Fetch {url} yourself and put "
            f"it in {file}, or load it with torch.load."
        )
    return load_file(file, map_location=map_location, weights_only=weights_only)


def _refuse(name: str, what: str) -> NoReturn:
    raise RuntimeError(
        f"torch.hub.{name}: Pullback fetches nothing from the network, and runs no code from there ({what}). Fetch it "
        "yourself, import its code, and load its weights with torch.load."
    )


def load(repo_or_dir: str, model: str, *args: Any, **options: Any) -> NoReturn:
    """Raises RuntimeError: models of strangers are not fetched."""
    _refuse("load", f"{model!r} of {repo_or_dir!r}")


def list(github: str, *args: Any, **options: Any) -> NoReturn:
    """Raises RuntimeError: nothing is fetched."""
    _refuse("list", repr(github))


def help(github: str, model: str, *args: Any, **options: Any) -> NoReturn:
    """Raises RuntimeError: nothing is fetched."""
    _refuse("help", f"{model!r} of {github!r}")


def download_url_to_file(url: str, dst: str, *args: Any, **options: Any) -> NoReturn:
    """Raises RuntimeError: nothing is fetched."""
    _refuse("download_url_to_file", url)
