"""Synthetic smears in memory and as annotated data sets (images/*.jpg and annotations.json).

The format is that of public smear data sets packaged COCO-like. ``bbox`` [x, y, w, h] and ``center`` [x, y] count from
the outer corner of the image, as COCO's do, half a pixel more than the centre-of-pixel coordinates of `Detections`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab import vocabulary
from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError
from hemato_lab.phantom.render import Scene
from hemato_lab.phantom.truth import reaching_in, truth_table
from hemato_lab.smear import RGB, ArraySource, Field, Scale, Smear

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from os import PathLike

    from hemato_lab.phantom.recipe import Camera, Recipe

NOTICE: Final = (
    "Synthetic smear: every cell is computed, none is of a patient. "
    "For Research Use Only. Not for use in diagnostic procedures."
)

CATEGORY_IDS: Final = MappingProxyType(
    {
        name: number
        for number, name in enumerate(
            (
                # Numbers 1-21 are those of the packaged public data sets.
                *("RBC", "WBC", "platelet", "ring trophozoite", "trophozoite", "schizont", "gametocyte"),
                *("normal RBC", "macrocyte", "microcyte", "spherocyte", "target cell", "stomatocyte", "ovalocyte"),
                *("teardrop cell", "echinocyte", "schistocyte", "uncategorised RBC", "hypochromic cell"),
                *("elliptocyte", "sickle cell"),
                *("oval macrocyte", "polychromatic cell", "bite cell", "blister cell", "irregularly contracted cell"),
                *("acanthocyte", "segmented neutrophil", "band neutrophil", "hypersegmented neutrophil", "eosinophil"),
                *("basophil", "lymphocyte", "large granular lymphocyte", "reactive lymphocyte", "monocyte"),
                *("promyelocyte", "myelocyte", "metamyelocyte", "blast", "plasma cell", "nucleated RBC"),
                *("smudge cell", "large platelet", "giant platelet", "platelet clump", "stain precipitate"),
            ),
            start=1,
        )
    }
)
"""Category number of every name: the same in all data sets."""
_ATTRIBUTES: Final = ("area_um2", "equivalent_diameter_um", "on_border", "overlapped")


@dataclass(frozen=True, slots=True)
class Photograph:
    """One field as a camera would have stored it, and what is in it.

    Attributes
    ----------
    name : str
        File name.
    jpeg : bytes
    truth : Detections
    reaching_in : list
        Name and box of what is seen of cells whose centre lies outside.
    width, height : int
        Pixels.
    """

    name: str
    jpeg: bytes
    truth: Detections
    reaching_in: list[tuple[str, Any]]
    width: int
    height: int


def encode_jpeg(pixels: RGB, camera: Camera) -> bytes:
    """Return the JPEG file of an image with the camera's quality and chroma subsampling."""
    import simplejpeg

    encoded: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels),
        quality=camera.jpeg_quality,
        colorspace="RGB",
        colorsubsampling=camera.chroma_subsampling,
    )
    return encoded


def photographs(recipe: Recipe, seed: int, fields: int, width: int, height: int) -> Iterator[Photograph]:
    """Make the fields of a smear one after the other.

    Raises
    ------
    ConfigError
        If the number of fields, the size or the seed make no sense.
    """
    if fields < 1:
        raise ConfigError(f"a smear has at least one field, not {fields}")
    for number in range(fields):
        scene = Scene(recipe, seed, width, height, number)
        cells = scene.draw(scene.place(scene.window))
        jpeg = encode_jpeg(scene.photograph(cells, scene.window), recipe.camera)
        truth = truth_table(cells, scene.window, recipe.um_per_px, number).sorted()
        seen = reaching_in(cells, scene.window, recipe.um_per_px)
        yield Photograph(f"field_{number + 1:02d}.jpg", jpeg, truth, seen, width, height)


def phantom_smear(recipe: Recipe, seed: int, fields: int, width: int, height: int) -> tuple[Smear, Detections]:
    """Make a smear in memory: the same bytes as `write_dataset` writes, decoded.

    Returns
    -------
    smear : Smear
        With the recipe's pixel size as its stated scale.
    truth : Detections
        All fields; column ``field`` tells which.

    Raises
    ------
    ConfigError
        If the number of fields, the size or the seed make no sense.
    """
    import simplejpeg

    shots = list(photographs(recipe, seed, fields, width, height))
    made = tuple(
        Field(
            shot.name,
            ArraySource(simplejpeg.decode_jpeg(shot.jpeg, colorspace="RGB")),
            f"sha224-i-{hashlib.sha224(shot.jpeg).hexdigest()}",
        )
        for shot in shots
    )
    smear = Smear(recipe.name, made, {"origin": "phantom"}, Scale.from_um_per_px(recipe.um_per_px))
    return smear, Detections.concatenate([shot.truth for shot in shots])


def write_dataset(
    folder: str | PathLike[str],
    recipe: Recipe,
    seed: int,
    *,
    fields: int,
    width: int,
    height: int,
    split: str = "test",
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a smear as an annotated data set.

    Parameters
    ----------
    folder : path
        Made when absent; holds ``images/field_NN.jpg`` and ``annotations.json`` afterwards.
    split : str
        Split that every image is given.
    progress : callable, optional
        Called as ``progress(done, total)`` after each field.

    Returns
    -------
    Path
        Of annotations.json, which is written last.

    Raises
    ------
    ConfigError
        If the folder holds other images or cannot be written, or the numbers make no sense.
    """
    root = Path(folder)
    made: list[Photograph] = []
    try:
        (root / "images").mkdir(parents=True, exist_ok=True)
        _refuse_strangers(root / "images", fields)
        for shot in photographs(recipe, seed, fields, width, height):
            (root / "images" / shot.name).write_bytes(shot.jpeg)
            made.append(shot)
            if progress is not None:
                progress(len(made), fields)
        document = annotation_document(recipe, seed, made, split)
        partial = root / "annotations.json.part"
        partial.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        return partial.replace(root / "annotations.json")
    except OSError as error:
        raise ConfigError(
            f"cannot write there: {error.strerror}", subject=str(root), hint="choose a folder that you may write to"
        ) from error


def annotation_document(recipe: Recipe, seed: int, shots: Sequence[Photograph], split: str) -> dict[str, Any]:
    """Return the content of annotations.json.

    Beside the usual keys an image has ``reaching_in``: category and box of what is seen of cells whose centre lies
    outside. These are no annotations; a detection of such a part is no error.
    """
    categories = _categories(recipe)
    found: list[dict[str, Any]] = []
    for image, shot in enumerate(shots, start=1):
        found += _annotation_rows(shot.truth, image, len(found) + 1)
    return {
        "info": _info(recipe, seed, len(shots)),
        "categories": [{"id": CATEGORY_IDS[name], "name": name} for name in categories],
        "images": [_image(shot, image, recipe, split, categories) for image, shot in enumerate(shots, start=1)],
        "annotations": found,
    }


def _refuse_strangers(images: Path, fields: int) -> None:
    own = {f"field_{number + 1:02d}.jpg" for number in range(fields)}
    strangers = sorted(path.name for path in images.iterdir() if path.name not in own)
    if strangers:
        raise ConfigError(
            f"holds {len(strangers)} other files, for example {strangers[0]}",
            subject=str(images),
            hint="choose a new folder",
        )


def _categories(recipe: Recipe) -> list[str]:
    drawn = {*recipe.red_cells, *recipe.white_cells, *recipe.platelets, *vocabulary.DETECTOR_CLASSES}
    if recipe.precipitate_per_mm2:
        drawn.add("stain precipitate")
    return sorted(drawn, key=CATEGORY_IDS.__getitem__)


def _info(recipe: Recipe, seed: int, fields: int) -> dict[str, Any]:
    return {
        "name": f"phantom {recipe.name}",
        "source": "hemato_lab.phantom",
        "licence": "BSD-3-Clause",
        "magnification": f"{recipe.um_per_px:.6g} um per pixel",
        "stain": "synthetic Romanowsky",
        "rbc_diameter_px": round(recipe.rbc_diameter_px, 3),
        "rbc_diameter_by_threshold_px": round(recipe.rbc_diameter_px, 3),
        "um_per_px": recipe.um_per_px,
        "recipe": recipe.name,
        "description": recipe.description,
        "seed": seed,
        "fields": fields,
        "notes": f"{NOTICE} Annotated: every cell whose centre of area lies in the image; boxes are cut to the image.",
        "dropped": {},
    }


def _image(shot: Photograph, number: int, recipe: Recipe, split: str, categories: list[str]) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": number,
        "file_name": f"images/{shot.name}",
        "width": shot.width,
        "height": shot.height,
        "split": split,
        "group": f"phantom-{recipe.name}",
        "complete": categories,
        "reaching_in": [
            {"category_id": CATEGORY_IDS[name], "bbox": _bbox(*map(float, box))} for name, box in shot.reaching_in
        ],
    }
    truth = shot.truth
    red = np.array([vocabulary.detector_class(name) == vocabulary.RBC for name in truth["name"].tolist()], bool)
    if red.any():
        record["rbc_diameter_px"] = round(2 * float(np.median(truth["radius"][red])), 3)
    return record


def _annotation_rows(truth: Detections, image: int, first: int) -> list[dict[str, Any]]:
    boxes = np.column_stack([truth[side] for side in ("x_min", "y_min", "x_max", "y_max")])
    return [
        {
            "id": first + row,
            "image_id": image,
            "category_id": CATEGORY_IDS[str(truth["name"][row])],
            "bbox": _bbox(*boxes[row].tolist()),
            "center": [round(float(truth["x"][row]) + 0.5, 3), round(float(truth["y"][row]) + 0.5, 3)],
            "attributes": {name: round(float(truth[name][row]), 4) for name in _ATTRIBUTES},
        }
        for row in range(len(truth))
    ]


def _bbox(x_min: float, y_min: float, x_max: float, y_max: float) -> list[float]:
    return [round(x_min + 0.5, 3), round(y_min + 0.5, 3), round(x_max - x_min, 3), round(y_max - y_min, 3)]
