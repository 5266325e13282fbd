"""Fit the line by which the mean blast probability of a picture's white cells becomes that of a picture with blasts.

Usage: ``python -m models.training.fit_blasts DATASETS`` from the project's folder, after ruler, detector and the
classifier of white cells have been written to the shipped models. Prints slope and intercept, which stand in
`hemato_lab.pipeline.blasts`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import special

from hemato_lab.evaluation.crop_scale import crop_scale
from hemato_lab.evaluation.dataset import CropSet, read_dataset
from hemato_lab.formats import open_smear
from hemato_lab.pipeline.blasts import SUREST, BlastReader
from models.training.calibration import fitted_line

if TYPE_CHECKING:
    from hemato_lab.smear import RGB

SET: Final = "taleqani_all"


def main() -> None:
    """Fit from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", type=Path)
    dataset = read_dataset(parser.parse_args().datasets / SET)
    if not isinstance(dataset, CropSet):
        raise TypeError(f"{SET} holds no pictures with one label each")
    pictures = [crop for crop in dataset.crops if crop.split == "val"]
    diameter = crop_scale(pictures, _pixels, None).rbc_diameter_px
    shares = BlastReader().shares([_pixels(picture.path) for picture in pictures], rbc_diameter_px=diameter)
    seen = [
        (share, picture.label != "benign") for share, picture in zip(shares, pictures, strict=True) if share is not None
    ]
    share, has_blasts = np.array([one for one, _ in seen]), np.array([one for _, one in seen], np.bool_)
    weight = np.where(has_blasts, 0.5 / has_blasts.sum(), 0.5 / (~has_blasts).sum())
    print(len(pictures), "pictures,", len(seen), "with white cells; slope and intercept")
    print(*fitted_line(special.logit(np.clip(share, SUREST, 1 - SUREST)), has_blasts, weight))


def _pixels(path: Path) -> RGB:
    return open_smear(path).fields[0].read()


if __name__ == "__main__":
    main()
