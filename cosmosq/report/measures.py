"""What can be told of groups of jobs in numbers, and which end of each is the better one."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cosmosq.errors import InvalidInput
from cosmosq.spelling import nearest

MEASURED = "measure_"


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A number that the ledger has of each job beside its measurements."""

    name: str
    title: str
    """Of its column in tables."""
    words: str
    """The same where there is room: beside a plot, in a list to choose from."""
    meaning: str
    highest: bool
    """Whether more of it is better."""


QUANTITIES: Mapping[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        Quantity(
            name="generate_s",
            title="generating",
            words="GPU seconds",
            meaning="GPU seconds of the generation that made the video.",
            highest=False,
        ),
        Quantity(
            name="load_share_s",
            title="load",
            words="seconds of the load, its share",
            meaning="Seconds of its session's load, shared by all attempts that it served.",
            highest=False,
        ),
        Quantity(
            name="uploading_s",
            title="up",
            words="uploading seconds",
            meaning="Seconds until its inputs were there.",
            highest=False,
        ),
        Quantity(
            name="downloading_s",
            title="down",
            words="downloading seconds",
            meaning="Seconds until its video was here.",
            highest=False,
        ),
        Quantity(
            name="gpu_s",
            title="GPU",
            words="GPU seconds of all attempts",
            meaning="GPU seconds of all its attempts, also of a job without a video, and of each load its share.",
            highest=False,
        ),
        Quantity(
            name="cost",
            title="cost",
            words="cost",
            meaning="Its share of what its sessions cost, from their start to their end.",
            highest=False,
        ),
        Quantity(name="stars", title="stars", words="stars", meaning="Its rating.", highest=True),
        Quantity(
            name="comparison_score",
            title="score",
            words="score of comparisons",
            meaning="Its score from comparisons of two (Bradley–Terry).",
            highest=True,
        ),
    )
}

_LOWEST = re.compile(r"rmse|error|distance|black|frozen|flicker")
_HIGHEST = re.compile(r"f1$|precision|recall|ssim|psnr|iou|accuracy|diversity|score|fidelity|agreement")


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One number of a job: a quantity, or a measurement of its video."""

    column: str
    """`generate_s`, `measure_canny_f1`."""

    @property
    def quantity(self) -> Quantity | None:
        return QUANTITIES.get(self.column)

    @property
    def measurement(self) -> str:
        """Name of the measurement, if it is one."""
        return self.column.removeprefix(MEASURED)

    @property
    def title(self) -> str:
        """Of its column in tables."""
        return self.quantity.title if self.quantity else self.measurement

    @property
    def words(self) -> str:
        """The same where there is room."""
        return self.quantity.words if self.quantity else self.measurement.replace("_", " ")

    @property
    def highest(self) -> bool | None:
        """Whether more of it is better; None where that is not known by its name."""
        if self.quantity:
            return self.quantity.highest
        if _LOWEST.search(self.measurement):
            return False
        return True if _HIGHEST.search(self.measurement) else None


def measure(name: str, measured: Sequence[str]) -> Measure:
    """The measure of a name that a person typed: `canny_f1`, `generate_s`; `measure_` in front means a measurement.

    Args:
        measured: names of the measurements that there are.

    Raises:
        InvalidInput: there is none of that name.
    """
    if name in QUANTITIES:
        return Measure(column=name)
    if (found := name.removeprefix(MEASURED)) in measured:
        return Measure(column=MEASURED + found)
    known = [*measured, *QUANTITIES]
    raise InvalidInput(f"{name} was not measured of these jobs{nearest(name, known)}: there are {', '.join(known)}")


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A measure over the jobs of a group that have it."""

    n: int
    mean: float
    sd: float | None
    """Standard deviation of the sample; None for a single job."""

    @classmethod
    def of(cls, n: int, mean: float, squares: float | None) -> "Summary":
        """From the number, the mean, and the sum of the squares of the distances to the mean.

        It is None where all are infinite, as signal to noise is of a video and itself.
        """
        return cls(n=n, mean=mean, sd=math.sqrt(squares / (n - 1)) if n > 1 and squares is not None else None)

    @property
    def half(self) -> float | None:
        """Half the width of the 95 % interval of the mean (Student's t)."""
        if self.sd is None:
            return None
        # Of all that reports need, this alone needs SciPy.
        from scipy.special import stdtrit

        return float(stdtrit(self.n - 1, 0.975)) * self.sd / math.sqrt(self.n)

    @property
    def low(self) -> float | None:
        """Lower end of that interval."""
        return None if self.half is None else self.mean - self.half

    @property
    def high(self) -> float | None:
        """Upper end of that interval."""
        return None if self.half is None else self.mean + self.half

    @property
    def total(self) -> float:
        """The sum over the jobs."""
        return self.mean * self.n

    def as_json(self) -> dict[str, float | None]:
        """Fields by name; None also for what is infinite, for which JSON has no word."""
        told = {name: getattr(self, name) for name in SUMMARY}
        return {name: value if value is None or math.isfinite(value) else None for name, value in told.items()}


SUMMARY = ("n", "mean", "sd", "low", "high", "total")
"""What is told of each measure, in CSV files behind its name."""
