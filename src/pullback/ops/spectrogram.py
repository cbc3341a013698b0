"""Short-time Fourier transforms: ``stft`` of windows along a signal, and ``istft``, which adds them up again.

Both are made of recorded steps: windows (``unfold``), a product, a transform; and back, whose last step divides by what the
squared windows add up to. A signal has shape (time,) or (batch, time), its transform (..., frequency, frame).
"""

from ..source import warn_user
from .checks import FLOATING, flag
from .fourier import BY_COUNT, BY_ROOT, NOT, complex_transform, half_transform, real_transform
from .padding import choose_pad, constant_pad_nd
from .shape import integer
from .steps import INTERNAL, need_tensors, perform
from .striding import fold_windows
from .table import LINEAR, TABLE, op, overload


class Frames:
    """The windows of a call: their size ``n_fft``, the ``hop`` from one to the next, and what they are multiplied by."""

    def __init__(self, name, input, n_fft, hop_length, win_length, window):
        self.name, self.shape = name, list(input.shape)
        self.n_fft = integer(name, "n_fft", n_fft)
        self.hop = self.n_fft // 4 if hop_length is None else integer(name, "hop_length", hop_length)
        self.length = self.n_fft if win_length is None else integer(name, "win_length", win_length)
        self.window = window
        if window is not None:
            need_tensors(name, input=input, window=window)

    def expect(self, holds, words):
        """Raise RuntimeError, with the whole call, unless a condition holds."""
        if not holds:
            raise RuntimeError(
                f"{self.name}(input of shape {self.shape}, n_fft={self.n_fft}, hop_length={self.hop}, win_length={self.length}, "
                f"window={'None' if self.window is None else f'of shape {list(self.window.shape)}'}): expected {words}"
            )

    def check(self):
        """Raise RuntimeError where windows and their hops do not fit."""
        self.expect(self.hop > 0, f"hop_length > 0, but got hop_length={self.hop}")
        self.expect(0 < self.length <= self.n_fft, f"0 < win_length <= n_fft, but got win_length={self.length}")
        self.expect(
            self.window is None or tuple(self.window.shape) == (self.length,),
            f"a 1D window tensor of size equal to win_length={self.length}",
        )

    def weights(self, input):
        """The window in the middle of ``n_fft`` elements; None for ones everywhere."""
        missing = self.n_fft - self.length
        if not missing:
            return self.window
        window = input.real.new_ones(self.length) if self.window is None else self.window
        return perform(constant_pad_nd, window, (missing // 2, missing - missing // 2), 0)


def advise(window, advice):
    """Warn of what a missing window does."""
    if window is None:
        warn_user(f"A window was not provided. A rectangular window will be applied. {advice}", UserWarning)


def padded(input, width, mode):
    """A signal with a border at both ends."""
    shape = (1,) * (3 - input.ndim) + tuple(input.shape)
    operation, args = choose_pad(input.reshape(shape), (width, width), mode)
    found = perform(operation, *args)
    return found.reshape((*input.shape[:-1], found.shape[-1]))


def choose_stft(
    input,
    n_fft,
    hop_length,
    win_length,
    window,
    center,
    pad_mode,
    normalized,
    onesided,
    return_complex,
    align_to_window,
):
    frames = Frames("stft", input, n_fft, hop_length, win_length, window)
    flag("stft", "normalized", normalized)
    is_complex = input.dtype.is_complex or (window is not None and window.dtype.is_complex)
    advise(window, "It is known to cause spectral leakage; torch.hann_window and others reduce that.")
    if center:
        if align_to_window is not None:
            raise RuntimeError("stft: align_to_window should only be set when center = false")
        input = padded(input, frames.n_fft // 2, pad_mode)
    return_complex = complex_or_pairs(is_complex, return_complex)
    if onesided and is_complex:
        raise RuntimeError("stft: Cannot have onesided output if window or input is complex")
    check_signal(frames, input)
    found = spectra(frames, input, bool(align_to_window), normalized, not is_complex if onesided is None else onesided)
    return None, found if return_complex else perform(TABLE["view_as_real"], found)


def complex_or_pairs(is_complex, return_complex):
    """Whether the result is complex, which has to be said for real signals."""
    if is_complex:
        return return_complex is None or return_complex
    if return_complex is None:
        raise RuntimeError(
            "stft requires the return_complex parameter be given for real inputs, and will further require that "
            "return_complex=True in a future PyTorch release."
        )
    if not return_complex:
        warn_user(
            "stft with return_complex=False is deprecated. In a future PyTorch release, stft will return complex tensors for "
            "all inputs, and return_complex=False will raise an error. You can still call torch.view_as_real on the complex "
            "output to recover the old return format.",
            UserWarning,
        )
    return return_complex


def check_signal(frames, input):
    frames.expect(input.dtype.category >= FLOATING, "a tensor of floating point or complex values")
    frames.expect(input.ndim in (1, 2), "a 1D or 2D tensor")
    extent = input.shape[-1]
    frames.expect(0 < frames.n_fft <= extent, f"0 < n_fft <= {extent}, but got n_fft={frames.n_fft}")
    frames.check()


def spectra(frames, input, is_aligned, normalized, onesided):
    """The transforms of all windows, with the frames along the last dim."""
    batch = input.unsqueeze(0) if input.ndim == 1 else input
    if is_aligned:
        width = (frames.n_fft - frames.length) // 2
        batch = perform(constant_pad_nd, batch, (width, width), 0)
    window = frames.weights(input)
    windows = batch.unfold(-1, frames.n_fft, frames.hop)
    windows = windows if window is None else windows * window
    code = BY_ROOT if normalized else NOT
    if windows.dtype.is_complex:
        found = perform(complex_transform, windows, (2,), code, True)
    else:
        found = perform(real_transform, windows, (2,), code, onesided)
    found = found.transpose(1, 2)
    return found.squeeze(0) if input.ndim == 1 else found


overload(
    'stft(input, n_fft, hop_length=None, win_length=None, window=None, center=True, pad_mode="reflect", normalized=False, '
    "onesided=None, return_complex=None, align_to_window=None)",
    "The Fourier transforms of windows of a signal, ``hop_length`` apart: of shape (..., frequency, frame). ``center`` puts the "
    "middle of the first window on the first element, with a border made as ``pad_mode`` says.",
    choose_stft,
)


covered = op(
    "covered(input)",
    "The input itself: what squared windows add up to, which must be zero nowhere.",
    vjp={"input": lambda xp, grad: grad},
    jvp=LINEAR,
    batch="elementwise",
    samples=lambda t: [((t(2, 3),), {})],
    **INTERNAL,
)


def choose_istft(input, n_fft, hop_length, win_length, window, center, normalized, onesided, length, return_complex):
    frames = Frames("istft", input, n_fft, hop_length, win_length, window)
    flag("istft", "normalized", normalized)
    advise(window, "Please provide the same window used by stft to make the inversion lossless.")
    onesided = check_spectra(frames, input, onesided, return_complex)
    frames.expect(frames.hop <= frames.length, "0 < hop_length <= win_length")
    frames.check()
    batch = input.unsqueeze(0) if input.ndim == 2 else input
    window = frames.weights(input)
    windows = signals(frames, batch.transpose(1, 2), normalized, return_complex)
    count = windows.shape[1]
    window = windows.real.new_ones(frames.n_fft) if window is None else window
    extent = frames.n_fft + frames.hop * (count - 1)
    start = frames.n_fft // 2 if center else 0
    stop = start + length if length is not None else extent - start
    frames.expect(stop > start, f"a signal with elements, but with length={length} and center={center} it has none")
    sums = perform(fold_windows, windows * window, 1, extent, frames.hop)
    envelope = perform(fold_windows, (window**2).expand(1, count, frames.n_fft), 1, extent, frames.hop)
    found = sums[:, start:stop] / perform(covered, envelope[:, start:stop])
    found = lengthened(found, stop - extent)
    return None, found.squeeze(0) if input.ndim == 2 else found


def check_spectra(frames, input, onesided, return_complex):
    """Raise RuntimeError for a bad transform; return whether it has half of the frequencies."""
    if not input.dtype.is_complex:
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with return_complex=True."
        )
    frames.expect(input.ndim in (2, 3), "a tensor with 2 or 3 dimensions: (frequency, frame), with a batch before")
    frames.expect(0 not in input.shape, "an input tensor that is not empty; input tensor cannot be empty.")
    size, half = input.shape[-2], frames.n_fft // 2 + 1
    onesided = size != frames.n_fft if onesided is None else onesided
    frames.expect(
        size == (half if onesided else frames.n_fft),
        f"the frequency dimension (3rd to the last) of the input tensor to match {'n_fft / 2 + 1' if onesided else 'n_fft'} when "
        f"onesided={onesided}, but got {size}",
    )
    if return_complex and onesided:
        raise RuntimeError("istft: Cannot have onesided output if window or input is complex")
    if not return_complex and frames.window is not None and frames.window.dtype.is_complex:
        raise RuntimeError("istft: Complex windows are incompatible with return_complex=False")
    return onesided


def signals(frames, input, normalized, is_complex):
    """The windows whose transforms the frames are."""
    code = BY_ROOT if normalized else BY_COUNT
    if is_complex:
        return perform(complex_transform, input, (2,), code, False)
    return perform(half_transform, input[..., : frames.n_fft // 2 + 1], (2,), code, frames.n_fft)


def lengthened(input, missing):
    if missing <= 0:
        return input
    warn_user(
        "The length of signal is shorter than the length parameter. Result is being padded with zeros in the tail. Please check "
        "your center and hop_length settings.",
        UserWarning,
    )
    return perform(constant_pad_nd, input, (0, missing), 0)


overload(
    "istft(input, n_fft, hop_length=None, win_length=None, window=None, center=True, normalized=False, onesided=None, "
    "length=None, return_complex=False)",
    "The signal whose windows have these Fourier transforms: the inverse of :func:`stft`, in the sense of least squares where "
    "there is none (Griffin and Lim, 1984).",
    choose_istft,
)
