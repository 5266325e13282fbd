"""Goal 7: from JPEG files to tables of cells, against a network of YOLOv8n's size on the same images in the same run.

``python -m tests.benchmarks detection`` prints, for each set and over all of them, wall time on two threads:

- *throughput*: images in two Python threads, one runtime thread each; for the peer also one Python thread with two
  runtime threads, whichever is faster;
- *latency*: one image at a time; the peer with the faster of one and two runtime threads.

Both sides read and decode each file themselves, with the same decoder. The scale is stated, as the peer needs none
either; ``ruler`` is our side with the scale estimated from the image's red cells. Images are those of the val splits
of the sets in the folder that HEMATO_LAB_DATASETS names, and synthetic fields where there are none.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image

from hemato_lab.errors import HematoError, ScaleNotCredibleError
from hemato_lab.evaluation.dataset import DetectionSet, read_dataset
from hemato_lab.formats import open_smear
from hemato_lab.formats.caching import WHOLE_IMAGES
from hemato_lab.imaging.calibration import calibrate
from hemato_lab.imaging.illumination import fit_illumination
from hemato_lab.imaging.scale import read_scale
from hemato_lab.phantom import RECIPES, phantom_smear
from hemato_lab.pipeline.finding import make_finder
from hemato_lab.smear import RED_CELL_DIAMETER_UM
from hemato_lab.vocabulary import RBC, detector_class
from tests.benchmarks import yolo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hemato_lab.detections import Detections
    from hemato_lab.pipeline.finding import Finder

SETS = ("bccd", "deepbionet", "txl_pbc_cells")
GOAL, STRETCH = 10.0, 20.0
THREADS = 2
PHANTOM_FIELDS = 6
LEAST_FOUND = 0.5
"""Share of the annotated red cells that must be found for a run to be worth timing."""
MOST_FOUND = 3.0
"""Not every set marks every cell."""
PEERS = {
    "1 thread": lambda: yolo.Yolo(1, spinning=False),
    "2 threads": lambda: yolo.Yolo(THREADS, spinning=False),
    "2 threads, spinning": lambda: yolo.Yolo(THREADS, spinning=True),
}


WORK = {"boxes": (False, False), "measured": (True, False), "named": (True, True)}
"""How much is done for each cell: whether it is outlined and measured, and named by classifiers."""
WAYS = ("throughput", "latency")
Times = tuple[float, float, float]
"""Milliseconds an image: ours, ours with the ruler, the peer at its best."""
Measured = dict[str, dict[str, Times]]
"""By set and way of timing."""


@dataclass(frozen=True)
class Picture:
    """A file, how many pixels a red cell measures in it, and the number of red cells that are marked."""

    path: Path
    rbc_diameter_px: float
    red_cells: int


def red_cells(cells: Detections) -> int:
    return sum(detector_class(str(name)) == RBC for name in cells["name"])


def pictures_of(dataset: DetectionSet, split: str, most: int) -> list[Picture]:
    images = [image for image in dataset.in_split(split) if dataset.cell_diameter_px(image)]
    chosen = images[:: max(1, len(images) // most)][:most]
    return [
        Picture(image.path, float(dataset.cell_diameter_px(image) or 0), red_cells(image.truth)) for image in chosen
    ]


def phantoms(folder: Path, most: int) -> list[Picture]:
    pictures = []
    for seed in range(min(most, PHANTOM_FIELDS)):
        smear, truth = phantom_smear(RECIPES["normal"], seed, 1, 640, 480)
        path = folder / f"phantom_{seed}.jpg"
        encoded = io.BytesIO()
        Image.fromarray(smear.fields[0].read()).save(encoded, "JPEG", quality=90)
        path.write_bytes(encoded.getvalue())
        pictures.append(Picture(path, RED_CELL_DIAMETER_UM / RECIPES["normal"].um_per_px, red_cells(truth)))
    return pictures


def subjects(folder: Path | None, scratch: Path, split: str, most: int) -> dict[str, list[Picture]]:
    found = {}
    for name in SETS if folder else ():
        if folder and (folder / name).is_dir():
            dataset = read_dataset(folder / name)
            assert isinstance(dataset, DetectionSet), name
            found[name] = pictures_of(dataset, split, most)
    return found or {"phantoms": phantoms(scratch, most)}


def ours(finder: Finder, picture: Picture, *, stated: bool = True) -> Detections:
    """What `analyze` does from the file to the table of one field, without quality, statistics and report."""
    smear = open_smear(picture.path, rbc_diameter_px=picture.rbc_diameter_px if stated else None)
    field = smear.fields[0]
    illumination = fit_illumination(field)
    scale = smear.scale or read_scale(smear, {0: illumination}).scale
    calibration = calibrate(field, scale, illumination)
    return finder.cells(replace(smear, scale=scale), [calibration], tile_size=None, threads=1, progress=None)


def by_ruler(finder: Finder, picture: Picture) -> Detections | None:
    try:
        return ours(finder, picture, stated=False)
    except ScaleNotCredibleError:
        return None


def milliseconds(call: Callable[[], Any]) -> float:
    """Time a call in which each file is decoded anew."""
    WHOLE_IMAGES.clear()
    start = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - start) / 1e6


def latencies(
    contenders: Mapping[str, Callable[[Picture], Any]], pictures: Sequence[Picture], rounds: int
) -> dict[str, float]:
    """Median milliseconds of one image a contender, averaged over the images; contenders take turns on each."""
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    for picture in pictures:
        one: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(rounds):
            for name, call in contenders.items():
                one[name].append(milliseconds(partial(call, picture)))
        for name, values in one.items():
            spent[name].append(statistics.median(values))
    return {name: statistics.fmean(values) for name, values in spent.items()}


def throughputs(
    contenders: Mapping[str, tuple[int, Callable[[Picture], Any]]], pictures: Sequence[Picture], rounds: int
) -> dict[str, float]:
    """Median milliseconds an image when each contender works through all images in its number of Python threads."""
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (threads, call) in contenders.items():
            with ThreadPoolExecutor(threads) as pool:
                spent[name].append(milliseconds(lambda: list(pool.map(call, pictures))) / len(pictures))  # noqa: B023
    return {name: statistics.median(values) for name, values in spent.items()}


def assert_plausible(name: str, pictures: Sequence[Picture], tables: Sequence[Detections]) -> None:
    """About as many red cells as are marked; a detector that finds nothing is fast for no good reason."""
    found, there = sum(map(red_cells, tables)), sum(picture.red_cells for picture in pictures)
    assert LEAST_FOUND * there <= found <= MOST_FOUND * there, f"{name}: {found} red cells found, {there} marked"


def measure(
    name: str, pictures: Sequence[Picture], finder: Finder, peers: Mapping[str, yolo.Yolo], rounds: int
) -> dict[str, Times]:
    """Times for each way of timing."""
    table, ruled = partial(ours, finder), partial(by_ruler, finder)
    assert_plausible(name, pictures, [table(picture) for picture in pictures])
    refused = sum(ruled(picture) is None for picture in pictures)
    if refused:
        print(f"{name}: the ruler refuses {refused} of {len(pictures)} images; their time counts")
    for peer in peers.values():
        for picture in pictures:
            assert peer(picture.path).shape[1] == 6
    on = {label: (lambda picture, peer=peer: peer(picture.path)) for label, peer in peers.items()}
    one = latencies({"ours": table, "ruler": ruled, **on}, pictures, rounds)
    several = {label: (THREADS if peer.threads == 1 else 1, on[label]) for label, peer in peers.items()}
    many = throughputs({"ours": (THREADS, table), "ruler": (THREADS, ruled), **several}, pictures, rounds)
    return {
        way: (spent["ours"], spent["ruler"], min(spent[label] for label in peers))
        for way, spent in zip(WAYS, (many, one), strict=True)
    }


def row(way: str, name: str, times: Sequence[float]) -> str:
    mine, ruled, theirs = times
    return f"{way:<12}{name:<16}{mine:9.2f}{theirs:10.1f}{theirs / mine:8.1f}x{ruled:14.2f}{theirs / ruled:8.1f}x"


def pooled(sets: Mapping[str, Sequence[Picture]], measured: Measured, way: str) -> np.ndarray:
    """Times over all images."""
    weights = [len(pictures) for pictures in sets.values()]
    return np.average([times[way] for times in measured.values()], axis=0, weights=weights)


def report(title: str, sets: Mapping[str, Sequence[Picture]], measured: Measured) -> None:
    print(f"{title} against {yolo.PARAMETERS / 1e6:.1f} M parameters, {yolo.GFLOPS} GFLOPs at 640 x 640;")
    print(f"milliseconds an image on {THREADS} threads, decoding included")
    print(f"{'':<12}{'set':<16}{'ours':>9}{'peer':>10}{'ratio':>9}{'with ruler':>14}{'ratio':>9}")
    for way in WAYS:
        for name, times in measured.items():
            print(row(way, name, times[way]))
        print(row(way, "all images", pooled(sets, measured, way)))


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks detection",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--detector", default="onnx")
    parser.add_argument(
        "--work",
        choices=WORK,
        default="boxes",
        help="boxes and scores, as the peer; outlines too; names too",
    )
    parser.add_argument("--images", type=int, default=12, help="of each set")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--split", default="val")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    options = parsed(arguments)
    cv2.setNumThreads(1)
    yolo.assert_size()
    named = os.environ.get("HEMATO_LAB_DATASETS")
    with tempfile.TemporaryDirectory() as scratch:
        sets = subjects(Path(named) if named else None, Path(scratch), options.split, options.images)
        peers = {label: make() for label, make in PEERS.items()}
        outlined, named_cells = WORK[options.work]
        try:
            finder = make_finder(options.detector, names=named_cells, measured=outlined)
            measured = {name: measure(name, pictures, finder, peers, options.rounds) for name, pictures in sets.items()}
        except HematoError as error:
            print(f"detection: {error}")
            return 2
    report(f"{options.detector} detector, {options.work},", sets, measured)
    mine, _, theirs = pooled(sets, measured, "throughput")
    ratio = theirs / mine
    print(
        f"goal {GOAL:.0f}x, stretch {STRETCH:.0f}x of throughput: {'met' if ratio >= GOAL else 'MISSED'}, {ratio:.1f}x"
    )
    return int(ratio < GOAL)
