"""From pixels to comparable optical densities: illumination, scale, quality and tiles.

The order of use: `illumination.fit_illumination` (background of the whole field), `ruler.measure_red_cells` (how large
is a red cell), `calibration.calibrate` (both, and the levels that separate cells from background), then tiles of the
field on the working grid, where a red cell always measures the same number of pixels.
"""
