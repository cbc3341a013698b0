"""What the examples share around the work itself: options, a line of progress, a picture, and what was reached."""

import argparse
import sys
from pathlib import Path


def options(description, name, **more):
    """The options of an example: ``--seed``, ``--out``, ``--quick``, and more ones, with their defaults or their choices."""
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (default: %(default)s)")
    parser.add_argument(
        "--out", type=Path, default=Path("out") / name, help="folder to write to (default: %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="a few seconds' work, with a lower goal")
    for option, default in more.items():
        choices = default if isinstance(default, tuple) else None
        parser.add_argument(f"--{option}", choices=choices, default=choices[0] if choices else default)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    return arguments


def progress(step, steps, text):
    """Say where the work is: a line that changes on a terminal, ten lines in a file."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K{step:6}/{steps}   {text}", end="\n" if step == steps else "", flush=True)
    elif step % max(1, steps // 10) == 0 or step == steps:
        print(f"{step:6}/{steps}   {text}", flush=True)


def picture(path, draw, *shape, **options):
    """Write ``draw(axes)`` as a PNG, where matplotlib is installed."""
    try:
        import matplotlib
    except ImportError:
        print("no picture: matplotlib is not installed (pip install matplotlib)")
        return
    matplotlib.use("Agg")  # draws into files, on machines without a screen too
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(*shape, layout="constrained", **options)
    draw(axes)
    partial = path.with_name(f".{path.name}")
    figure.savefig(partial, dpi=110, format="png")
    partial.replace(path)
    plt.close(figure)
    print(f"wrote {path}")


def images_on(grid, images):
    """Draw grey images on a grid of axes, one each."""
    for axes, image in zip(grid.flat, images, strict=False):
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
        axes.axis("off")


def reached(what, value, goal, is_less=False):
    """Say what was reached, and end with an error where it is not what the example promises."""
    words = f"{what}: {value:.4g} (goal: at {'most' if is_less else 'least'} {goal:.4g})"
    if not (value <= goal if is_less else value >= goal):
        raise SystemExit(f"missed {words}")
    print(f"reached {words}")
