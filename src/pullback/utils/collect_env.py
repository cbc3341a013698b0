"""``torch.utils.collect_env``: what a report of a defect should say of the machine and the installation."""

import platform
import sys
from importlib import metadata

from ..version import __version__

PACKAGES = ("numpy", "scipy", "ml_dtypes", "safetensors", "threadpoolctl")


def get_pretty_env_info() -> str:
    """The versions of Pullback, Python, the system, and what Pullback computes with."""
    rows = [
        ("Pullback version", __version__),
        ("Is CUDA available", "False"),
        ("OS", platform.platform()),
        ("Python version", f"{sys.version} ({platform.architecture()[0]} runtime)"),
        ("Machine", platform.machine()),
        *((f"{name} version", metadata.version(name)) for name in PACKAGES),
    ]
    return "\n".join(f"{name}: {value}" for name, value in rows)


def main() -> None:
    """Print it."""
    print(get_pretty_env_info())


if __name__ == "__main__":
    main()
