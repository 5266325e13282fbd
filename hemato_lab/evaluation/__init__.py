"""Detectors and classifiers against annotated images: precision, recall, counts, calibration, each with its limits.

`dataset.read_dataset` reads a folder, `detection.evaluate_detection` scores a detector on whole fields and
`classification.evaluate_crops` a classifier on single-cell crops; both depend on nothing but what they are given.
`runner.run_evaluation` binds them to the package's own detectors and classifiers.

For Research Use Only. Not for use in diagnostic procedures.
"""
