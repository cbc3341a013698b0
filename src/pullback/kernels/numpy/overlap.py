"""Where arrays' elements lie: whether several of one array, or of two of one memory, share a place.

The answers are those by which PyTorch refuses to write; it does not look into arrays with gaps.
"""

from numpy import ndarray


def overlaps(data: ndarray) -> bool:
    """Whether several elements of an array lie at one place in memory, as an expanded one's do."""
    return (
        0 in data.strides
        and data.size > 1
        and any(s == 0 and n > 1 for s, n in zip(data.strides, data.shape, strict=True))
    )


def meets(data: ndarray, other: ndarray, wholly: bool) -> bool:
    """Whether two arrays of one storage overlap in a part, or ``wholly``. Those with gaps never do, to PyTorch."""
    if not data.size or not other.size or not is_dense(data) or not is_dense(other):
        return False
    (a, _), (b, _) = data.__array_interface__["data"], other.__array_interface__["data"]
    if a == b and data.nbytes == other.nbytes:
        return wholly or data.ndim != other.ndim or steps(data) != steps(other)
    return a < b + other.nbytes and b < a + data.nbytes


def steps(data: ndarray) -> list:
    """The stride and size of each dimension that has more than one element."""
    return [(s, n) for s, n in zip(data.strides, data.shape, strict=True) if n != 1]


def is_dense(data: ndarray) -> bool:
    """Whether an array's elements lie side by side, in whatever order of the dimensions."""
    expected = data.itemsize
    for stride, n in sorted(steps(data)):
        if stride != expected:
            return False
        expected *= n
    return True
