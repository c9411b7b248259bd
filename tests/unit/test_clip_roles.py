"""Which role a file's name tells, and what cannot be a clip's name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmosq.roles import NAMES, ROLE_OF, ROLES, Fit, match_role


def role_of(stem: str, clip: str = "kitchen") -> str | None:
    matched = match_role(stem, clip)
    return matched[0] if matched else None


@pytest.mark.parametrize(
    ("word", "role"),
    [
        *((word, "input") for word in ("color", "colour", "rgb", "input", "beauty")),
        *((word, "depth") for word in ("depth", "z")),
        *((word, "seg") for word in ("seg", "segmentation", "mask")),
        *((word, "edge") for word in ("edge", "edges", "canny")),
        *((word, "vis") for word in ("vis", "blur")),
        *((word, "keypoint") for word in ("keypoint", "keypoints", "pose")),
        ("hdmap", "hdmap"),
        ("lidar", "lidar"),
    ],
)
def test_a_role_word_is_known_alone_and_behind_any_separator(word: str, role: str) -> None:
    names = [
        word,
        word.upper(),
        f"a_{word}",
        f"a-{word}",
        f"a.{word}",
        f"a {word}",
        f"kitchen_{word}_video",
        f"a_{word}_v2",
    ]
    assert {name: role_of(name) for name in names} == dict.fromkeys(names, role)


def test_every_role_has_a_name_of_its_own() -> None:
    assert tuple(NAMES) == ROLES
    assert all(role in NAMES[role] for role in ROLES)
    assert len(ROLE_OF) == sum(len(words) for words in NAMES.values())


@pytest.mark.parametrize(
    "stem",
    ["", "kitchen", "robot_sample_output", "uniform_weights", "colorful", "take_deep", "masked", "input-output-x2"],
)
def test_words_that_only_look_like_a_role_tell_none(stem: str) -> None:
    assert role_of(stem, "other") in (None, "input" if stem.startswith("input-") else None)


@pytest.mark.parametrize(
    ("stem", "clip", "role", "fit"),
    [
        ("example1_edge", "example1", "edge", Fit.OWN),
        ("example1_input_video", "example1", "input", Fit.OWN),
        ("EXAMPLE1-Edge", "example1", "edge", Fit.OWN),
        ("robot_sample_seg", "robot sample", "seg", Fit.OWN),
        ("example1_single_control_edge", "example1", "edge", Fit.OWN_LOOSE),
        ("edge", "example1", "edge", Fit.BARE),
        ("depth_v002", "example1", "depth", Fit.BARE),
        ("input_video", "example1", "input", Fit.BARE),
        ("example1_edge", "example", "edge", Fit.OTHER),
        ("example1_edge", "robot_sample", "edge", Fit.OTHER),
        ("input_edge", "example1", "edge", Fit.OTHER),
    ],
)
def test_the_fit_tells_whose_file_it_is(stem: str, clip: str, role: str, fit: Fit) -> None:
    assert match_role(stem, clip) == (role, fit)


@pytest.mark.parametrize("clip", ["pose-test", "depth", "mask_color", "z"])
def test_the_clips_own_name_is_no_role_word(clip: str) -> None:
    assert match_role(f"{clip}_edge", clip) == ("edge", Fit.OWN)
    assert match_role(f"{clip}_depth", clip) == ("depth", Fit.OWN)


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_name_breaks_it(stem: str, clip: str) -> None:
    assert role_of(stem, clip) in (None, *ROLES)


@given(
    st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1, max_size=20), st.sampled_from(sorted(ROLE_OF))
)
def test_a_clips_own_files_fit_best_whatever_it_is_called(clip: str, word: str) -> None:
    assert match_role(f"{clip}_{word}", clip) == (ROLE_OF[word], Fit.OWN)
