"""Compiled kernels: arrays in, arrays out.

Each module holds one operation of image or point arithmetic, compiled by numba without the interpreter lock, so that
threads over tiles run side by side. Modules import only numpy and numba and are themselves imported on first use. Every
kernel has a plain numpy, scipy or scikit-image reference in the tests, and none depends on thread count or tiling.
"""
