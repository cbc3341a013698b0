"""Short-time Fourier transforms: beside torch, against SciPy, and each the other's inverse."""

import warnings
from itertools import product

import numpy as np
import pytest
from beside import agree_beside

import pullback
from numeric import agree, array

rng = np.random.default_rng(0)
REAL = rng.standard_normal((2, 30))
COMPLEX = REAL + 1j * rng.standard_normal((2, 30))
WINDOW = np.hanning(9)[:8]
SINGLE = REAL.astype("float32")

SIGNALS = {"real": REAL, "complex": COMPLEX, "one": REAL[0], "single": SINGLE, "integer": np.arange(30)}
CALLS = (
    *(
        {"n_fft": 8},
        {"n_fft": 8, "return_complex": True},
        {"n_fft": 8, "return_complex": False},
        {"n_fft": 7, "return_complex": True},
    ),
    *(
        {"n_fft": 8, "win_length": 6, "return_complex": True},
        {"n_fft": 8, "hop_length": 3, "center": False, "return_complex": True},
    ),
    *({"n_fft": 8, "onesided": False, "return_complex": True}, {"n_fft": 8, "onesided": True, "return_complex": True}),
    *({"n_fft": 40, "return_complex": True}, {"n_fft": 61, "return_complex": True}, {"n_fft": 40, "center": False}),
    *({"n_fft": 40, "center": False, "return_complex": True}, {"n_fft": 0, "return_complex": True}, {"n_fft": 8.0}),
    *({"n_fft": 8, "hop_length": 0, "return_complex": True}, {"n_fft": 8, "win_length": 9, "return_complex": True}),
    *(
        {"n_fft": 8, "win_length": 0, "return_complex": True},
        {"n_fft": 8, "normalized": "frame", "return_complex": True},
    ),
    {"n_fft": 8, "win_length": 5, "center": False, "align_to_window": True, "return_complex": True},
    {"n_fft": 8, "align_to_window": True, "return_complex": True},
    *(
        {"n_fft": 8, "pad_mode": mode, "return_complex": True}
        for mode in ("constant", "replicate", "circular", "mirror")
    ),
)


@pytest.mark.parametrize("what", SIGNALS)
def test_stft_is_torchs(what, torch):
    for options in CALLS:
        agree_beside(
            torch, lambda lib, x, o=options: lib.stft(x, **o), [SIGNALS[what]], f"stft {what} {options}", nodes=False
        )


@pytest.mark.parametrize("what", ("real", "complex", "one", "single"))
def test_stft_with_a_window_is_torchs_by_the_window_too(what, torch):
    windows = {"real": WINDOW, "complex": WINDOW * 1j, "short": WINDOW[:5], "single": WINDOW.astype("float32")}
    for (name, window), normalized in product(windows.items(), (True, False)):
        agree_beside(
            torch,
            lambda lib, x, w, normalized=normalized: x.stft(
                8, window=w, win_length=len(w), normalized=normalized, return_complex=True
            ),
            [SIGNALS[what], window],
            f"stft {what} {name} {normalized}",
            nodes=False,
        )
    for window in (WINDOW[:5], WINDOW[None]):
        agree_beside(torch, lambda lib, x, w: lib.stft(x, 8, window=w, return_complex=True), [SIGNALS[what], window])


SPECTRA = {
    "half": rng.standard_normal((2, 5, 9)) + 1j * rng.standard_normal((2, 5, 9)),
    "full": rng.standard_normal((2, 8, 9)) + 1j * rng.standard_normal((2, 8, 9)),
}
BACK = (
    *({}, {"length": 11}, {"length": 20}, {"length": 30}, {"length": 0}, {"center": False}, {"normalized": True}),
    *({"win_length": 6}, {"hop_length": 3}, {"hop_length": 0}, {"hop_length": 9}, {"win_length": 0}, {"win_length": 9}),
    *({"onesided": False}, {"onesided": True}, {"return_complex": True}, {"onesided": False, "return_complex": True}),
)


@pytest.mark.parametrize("what", SPECTRA)
def test_istft_is_torchs(what, torch):
    for options in BACK:
        call = lambda lib, x, o=options: lib.istft(x, 8, **o)
        agree_beside(torch, call, [SPECTRA[what]], f"istft {what} {options}", nodes=False)
        if "win_length" not in options:
            call = lambda lib, x, w, o=options: x.istft(8, window=w, **o)
            agree_beside(torch, call, [SPECTRA[what], WINDOW], f"istft {what} {options} with a window", nodes=False)
    for bad in (SPECTRA[what].real, SPECTRA[what][:0], SPECTRA[what][:, :, :0], SPECTRA[what][None], SPECTRA[what][0]):
        agree_beside(torch, lambda lib, x: lib.istft(x, 8), [bad], f"istft {bad.shape}", nodes=False)
    for window in (WINDOW[:5], WINDOW * 0, WINDOW * 1j):
        call = lambda lib, x, w: lib.istft(x, 8, window=w)
        agree_beside(torch, call, [SPECTRA[what], window], f"istft {what} {window}", nodes=False)


@pytest.mark.parametrize("center, normalized", [*product((True, False), repeat=2)])
def test_istft_undoes_stft(center, normalized):
    window = pullback.tensor(WINDOW + 0.1)
    options = {"window": window, "center": center, "normalized": normalized}
    spectra = pullback.tensor(REAL).stft(8, return_complex=True, **options)
    back = spectra.istft(8, length=30, **options)
    agree(array(back), REAL, "istft of stft")


def test_stft_is_the_transform_of_each_window():
    windows = np.lib.stride_tricks.sliding_window_view(REAL[0], 8)[::3] * WINDOW
    options = {"window": pullback.tensor(WINDOW), "center": False, "return_complex": True}
    agree(array(pullback.stft(pullback.tensor(REAL[0]), 8, 3, **options)), np.fft.rfft(windows).T, "stft")


def test_advice_is_given_at_the_users_line():
    x = pullback.tensor(REAL)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        spectra = pullback.stft(x, 8, return_complex=True)
        x.stft(8, window=pullback.tensor(WINDOW), return_complex=False)
        spectra.istft(8, length=99)
    phrases = (
        "A window was not provided",
        "return_complex=False is deprecated",
        "A window was not provided",
        "shorter than the length",
    )
    for warning, phrase in zip(caught, phrases, strict=True):
        assert phrase in str(warning.message)
        assert warning.filename == __file__
