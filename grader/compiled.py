"""librosa's compiled functions, made once, before several processes ask for them at the same moment.

numba compiles some of librosa's functions when they are first loaded, and keeps the result beside librosa. Two
processes that do this at once leave parts of both, and from then on every process that calls such a function is killed
by a segmentation fault (numba 0.68, librosa 0.11: three processes that call `librosa.yin` did so in five of six
trials). Setting up runs this module; a warm process runs it too, because its kernels cannot write beside librosa.
"""

import numpy as np


def compile_librosa() -> None:
    """Load the compiled functions that the course meets: 17 s the first time on a machine, 2 s afterwards."""
    import librosa.core.audio
    import librosa.core.pitch
    import librosa.util.utils

    for kind in (np.float32, np.float64):
        noise = np.random.default_rng(0).standard_normal(4096).astype(kind)
        librosa.istft(librosa.stft(noise, n_fft=512), length=len(noise))
        librosa.yin(noise, fmin=60, fmax=400, sr=16_000, frame_length=1024)
        librosa.sequence.dtw(noise[None, :20], noise[None, 20:50])
        librosa.feature.melspectrogram(y=noise, sr=16_000)


if __name__ == "__main__":
    compile_librosa()
