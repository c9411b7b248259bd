"""A stand-in for NVIDIA's package of this name: same names and files, an ffmpeg filter graph where the model is."""

__version__ = "simulated"
