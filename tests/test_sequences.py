import pytest

from hdrnodes.errors import ReadError, WriteError
from hdrnodes.sequences import Job, Plan, frame_path, frames_of, is_pattern, plan_jobs


@pytest.fixture
def plates(tmp_path):
    for frame in (1001, 1002, 1004, 1005):
        (tmp_path / f"plate.{frame}.jpg").touch()
    (tmp_path / "plate.77.jpg").touch()  # two digits: not of this sequence
    (tmp_path / "plate.1003.png").touch()
    return tmp_path


@pytest.mark.parametrize("pattern", ["plate.####.jpg", "plate.%04d.jpg", "plate.@@@@.jpg", "plate.$F4.jpg"])
def test_every_way_of_writing_a_pattern_finds_the_frames_and_the_gap(plates, pattern):
    plan = plan_jobs([plates / pattern], plates / "out.####.exr")
    assert [job.frame for job in plan.jobs] == [1001, 1002, 1004, 1005]
    assert plan.jobs[0] == Job(plates / "plate.1001.jpg", plates / "out.1001.exr", 1001)
    assert plan.gaps == (plates / "plate.1003.jpg",)


@pytest.mark.parametrize(
    ("frames", "done", "gaps"),
    [
        ("1001-1005x2", [1001, 1005], [1003]),
        ("1001,1004-1006", [1001, 1004, 1005], [1006]),
        ("1005-1004", [1005, 1004], []),
    ],
)
def test_a_range_says_which_frames(plates, frames, done, gaps):
    plan = plan_jobs([str(plates / "plate.####.jpg")], str(plates / "o.%05d.exr"), frames)
    assert [job.frame for job in plan.jobs] == done
    assert [job.target.name for job in plan.jobs] == [f"o.{frame:05}.exr" for frame in done]
    assert [path.name for path in plan.gaps] == [f"plate.{frame}.jpg" for frame in gaps]


def test_a_pattern_may_have_its_own_range(plates):
    assert frames_of(str(plates / "plate.1001-1002####.jpg")) == (1001, 1002)


def test_more_digits_than_places_and_negative_frames():
    assert [frame_path("a.####.exr", frame).name for frame in (7, 12345, -7)] == [
        "a.0007.exr",
        "a.12345.exr",
        "a.-007.exr",
    ]


def test_one_file_needs_no_pattern_and_may_be_anything(tmp_path):
    assert plan_jobs(["a.jpg"], "b.exr") == Plan((Job(*map(type(tmp_path), ("a.jpg", "b.exr"))),))
    odd = tmp_path / "take #1.jpg"
    odd.touch()
    assert not is_pattern(str(odd))
    assert plan_jobs([odd], tmp_path / "b.exr").jobs[0].source == odd


def test_files_go_into_a_folder_under_their_names_or_into_a_pattern_by_their_numbers(tmp_path):
    sources = [tmp_path / "IMG_0042.jpg", tmp_path / "IMG_0043.png"]
    for output in (tmp_path, f"{tmp_path}/new/"):
        plan = plan_jobs(sources, output)
        assert [job.target.name for job in plan.jobs] == ["IMG_0042.exr", "IMG_0043.exr"]
    plan = plan_jobs(sources, tmp_path / "out.######.exr")
    assert [job.target.name for job in plan.jobs] == ["out.000042.exr", "out.000043.exr"]


def test_names_that_are_too_long_are_planned_as_they_are():
    long = "x" * 300
    assert plan_jobs([f"{long}.jpg"], f"{long}.exr").jobs[0].target.name == f"{long}.exr"
    with pytest.raises(ReadError, match="none of its frames 1-2 exist"):
        plan_jobs([f"{long}.####.jpg"], "out/", "1-2")


def test_links_in_a_circle_are_planned_as_they_are(tmp_path):
    circle = tmp_path / "loop.jpg"
    circle.symlink_to(circle)
    assert plan_jobs([circle], tmp_path / "a.exr").jobs == (Job(circle, tmp_path / "a.exr"),)


@pytest.mark.parametrize(
    ("inputs", "output", "frames", "error", "words"),
    [
        (["plate.####.jpg"], "out.exr", None, WriteError, "one name for 4 pictures; put #### in it, as out.####.exr"),
        (["a.jpg", "b.jpg"], "out.exr", None, WriteError, "one name for 2 pictures"),
        (["a.jpg"], "out.####.exr", None, WriteError, "a.jpg has none; name a folder"),
        (["x/a.jpg", "y/a.png"], "./", None, WriteError, "would be written twice, from x/a.jpg and y/a.png"),
        (["a_1.jpg", "b_1.jpg"], "out.####.exr", None, WriteError, "would be written twice"),
        (["a.exr"], "./", None, WriteError, "would replace a.exr, which is read"),
        (["plate.####.jpg"], "plate.####.jpg", None, WriteError, "which is read"),
        (["none.####.jpg"], "out.####.exr", None, ReadError, "no frame of it exists"),
        (["none/plate.####.jpg"], "out.####.exr", None, ReadError, "no frame of it exists"),
        (["plate.####.jpg"], "out.####.exr", "2001-2003", ReadError, "none of its frames 2001-2003 exists"),
        (["plate.####.jpg"], "out.####.exr", "first-last", ReadError, "'first-last' is no range of frames"),
        (["plate.####.jpg"], "out.####.exr", "", ReadError, "has no whole frame numbers"),
        (["plate.####.jpg"], "out.####.exr", "1001.5", ReadError, "has no whole frame numbers"),
        (["plate.####.jpg"], "out.####.exr", "1-99999999", ReadError, "is no range of frames"),
        (["a.jpg"], "b.exr", "1-2", ReadError, "is not a pattern, so frames 1-2 mean nothing"),
    ],
)
def test_what_cannot_be_planned_is_one_line(plates, monkeypatch, inputs, output, frames, error, words):
    monkeypatch.chdir(plates)
    with pytest.raises(error) as raised:
        plan_jobs(inputs, output, frames)
    assert words in str(raised.value) and "\n" not in str(raised.value)
