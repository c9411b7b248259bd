"""The measures that there are: what each tells, what it needs, and how it is made."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from cosmosq.errors import InvalidInput
from cosmosq.measures import added
from cosmosq.measures.material import Material
from cosmosq.spelling import nearest

Run = Callable[[Material], dict[str, float]]

PICTURE, CANNY, DIVERSITY = "picture", "canny", "diversity"
SSIM_PACKAGE = "skimage"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One way to look at a video; it gives one number or several."""

    name: str
    values: Mapping[str, str]
    """What each of its numbers means, by name; empty for a measure of another package."""
    version: int = 1
    """Counted up when the definition changes: numbers of an older version are made anew."""
    needs: str | None = None
    """Role of the video that the job must have beside its output."""
    package: str | None = None
    estimator: str | None = None
    """Entry point of the model that it needs."""
    turn: int = 1
    """When its turn comes, over all videos: what takes a second first, what takes minutes last."""
    run: Run | None = None
    """None for what is told of several videos together."""

    @property
    def lacking(self) -> str | None:
        """Why it cannot be made here at all, and what helps."""
        if self.package is not None and find_spec(self.package) is None:
            return "scikit-image is not installed: pip install 'cosmosq[measure]'"
        if self.estimator is not None and self.estimator not in added.entries(added.ESTIMATORS):
            return (
                f"no package gives a model {self.estimator} by the entry point {added.ESTIMATORS}: see docs/measures.md"
            )
        return None

    def owns(self, value_name: str) -> bool:
        """Whether the number of that name is one of this measure's."""
        return value_name in self.values or value_name == self.name or value_name.startswith(f"{self.name}.")


# Imported when a measure is made: what they need takes longer to import than most commands to run.


def _looks(material: Material) -> dict[str, float]:
    from cosmosq.measures.looks import looks

    found = looks(material.output())
    seconds = found["frames"] / material.facts["fps"]
    return {"duration_s": seconds, "bytes": float(material.output_path.stat().st_size), **found}


def _canny(material: Material) -> dict[str, float]:
    from cosmosq.measures.edges import canny

    return canny(material.matched())


def _blur_ssim(material: Material) -> dict[str, float]:
    from cosmosq.measures.similarity import blur_ssim

    return blur_ssim(material.matched())


def _depth(material: Material) -> dict[str, float]:
    from cosmosq.measures.controls import depth

    return depth(added.estimate("depth", material.output()), material.source("depth"))


def _seg(material: Material) -> dict[str, float]:
    from cosmosq.measures.controls import seg

    return seg(added.estimate("seg", material.output()), material.source("seg"))


OURS: tuple[Measure, ...] = (
    Measure(
        name=PICTURE,
        values={
            "duration_s": "Frames by frames a second.",
            "frames": "Frames that can be decoded.",
            "bytes": "Size of the file.",
            "luma_mean": "Mean Rec. 709 luma of all pixels, 0 to 255.",
            "luma_variance": "Its variance over all pixels of all frames.",
            "motion_energy": "Mean absolute difference of luma from frame to frame.",
            "black_frames": "Frames with at least 98 % of their pixels in the darkest tenth.",
            "frozen_frames": "Frames whose luma differs from the one before by at most 0.255 on average.",
        },
        turn=0,
        run=_looks,
    ),
    Measure(
        name=CANNY,
        values={
            "canny_f1": "Canny-F1 of output and input: harmonic mean of the next two.",
            "canny_precision": "Share of the output's edge pixels that are edges of the input.",
            "canny_recall": "Share of the input's edge pixels that are edges of the output.",
        },
        needs="input",
        turn=0,
        run=_canny,
    ),
    Measure(
        name=DIVERSITY,
        values={"diversity_ssim": "1 − SSIM to the videos of other seeds of the same parameter set, on average."},
        package=SSIM_PACKAGE,
        turn=1,
    ),
    Measure(
        name="blur_ssim",
        values={"blur_ssim": "SSIM of output and input after the same blur, averaged over frames."},
        needs="input",
        package=SSIM_PACKAGE,
        turn=2,
        run=_blur_ssim,
    ),
    Measure(
        name="depth",
        values={"depth_si_rmse": "Error of the output's estimated depth against the depth control, scaled by medians."},
        needs="depth",
        estimator="depth",
        turn=2,
        run=_depth,
    ),
    Measure(
        name="seg",
        values={"seg_miou": "Best overlap of each region of the seg control with a label of the output, on average."},
        needs="seg",
        estimator="seg",
        turn=2,
        run=_seg,
    ),
)


def catalogue() -> tuple[Measure, ...]:
    """All measures, those of other packages included.

    Raises:
        InvalidInput: one of another package has a name that cannot be used.
    """
    return (*OURS, *(_added(name) for name in added.entries(added.MEASURES)))


def _added(name: str) -> Measure:
    if not added.NAME.fullmatch(name) or any(measure.owns(name) for measure in OURS):
        raise InvalidInput(
            f"the measure {name} of {added.entries(added.MEASURES)[name].value} cannot be called so: "
            "use small letters, digits and _, and no name of cosmosq's own"
        )

    def run(material: Material) -> dict[str, float]:
        return added.run(name, material)

    return Measure(name=name, values={}, version=added.version_of(name), turn=3, run=run)


def chosen(names: Collection[str]) -> Sequence[Measure]:
    """The measures of these names, or of these numbers; all for none.

    Raises:
        InvalidInput: there is no such measure.
    """
    measures = catalogue()
    for name in names:
        if not any(measure.owns(name) for measure in measures):
            known = [measure.name for measure in measures]
            raise InvalidInput(f"{name} is no measure{nearest(name, known)}: there are {', '.join(known)}")
    return [measure for measure in measures if not names or any(measure.owns(name) for name in names)]
