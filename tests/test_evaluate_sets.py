"""`hdrnodes evaluate` on frames and folders: what goes together, what is left alone, sums beside another method."""

import csv
import errno
import os

import numpy as np
import pytest
from cli import hdrnodes, save
from evaluation import evaluated, scene

pytest.importorskip("scipy", reason="some metrics need scipy: pip install 'hdrnodes[metrics]'")

from hdrnodes.metrics.pairing import pair_up
from hdrnodes.preview import preview_path


@pytest.fixture
def shots(tmp_path):
    """Two methods, their references and plates: frames 1, 2, 4, and folders with them."""
    for folder in ("pred", "other", "ref", "plate"):
        (tmp_path / folder).mkdir()
    for frame in (1, 2, 4):
        light = scene(frame)
        save(tmp_path / "ref" / f"shot.{frame:04}.exr", light, "float")
        save(tmp_path / "pred" / f"shot.{frame:04}.exr", light * (1 + 0.1 * frame), "float")
        save(tmp_path / "other" / f"shot.{frame:04}.exr", light * (2 + 0.3 * frame), "float")
        save(tmp_path / "plate" / f"shot.{frame:04}.png", np.minimum(light / 100, 1))
    return tmp_path


def test_a_set_is_summed_up_beside_another_method(shots):
    command = ("--against", shots / "other", "--metric", "log_rmse.log2_y", "--csv", shots / "table.csv")
    ran, said = evaluated(shots / "pred", shots / "ref", *command)
    assert ran.exit_code == 0 and [image["name"] for image in said["images"]] == [f"shot.000{n}" for n in (1, 2, 4)]
    ours, theirs = (np.log2(factors) for factors in ([1.1, 1.2, 1.4], [2.3, 2.6, 3.2]))
    summary = said["summary"]["log_rmse.log2_y"]
    assert summary["median"] == pytest.approx(ours[1], abs=1e-4) and summary["count"] == 3
    against = summary["against"]
    assert against["median"] == pytest.approx(theirs[1], abs=1e-4)
    assert against["mean"] == pytest.approx((ours - theirs).mean(), abs=1e-4)
    assert against["low"] <= against["mean"] <= against["high"] < 0
    rows = list(csv.DictReader((shots / "table.csv").read_text().splitlines()))
    assert [row["method"] for row in rows] == ["pred"] * 3 + ["against"] * 3
    assert [float(row["log_rmse.log2_y"]) for row in rows] == pytest.approx([*ours, *theirs], abs=1e-4)
    table = hdrnodes("evaluate", shots / "pred", shots / "ref", "--against", shots / "other").stdout
    assert "95 % interval" in table and f"{ours[1]:.4f}" in table
    again = hdrnodes("evaluate", shots / "pred", shots / "ref", *command)
    assert again.exit_code == 1 and "table.csv: exists already" in again.stderr


def test_a_picture_that_the_report_has_no_room_for_is_left_out_of_both_methods(shots, monkeypatch):
    sections = []

    def full_at_the_second_section(temporary):
        sections.extend([temporary] if temporary.suffix == ".html" else [])
        if len(sections) == 2 and sections[1] == temporary:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("hdrnodes.whole_file._settle", full_at_the_second_section)
    command = ("--against", shots / "other", "--metric", "log_rmse.log2_y", "--csv", shots / "table.csv")
    ran, said = evaluated(shots / "pred", shots / "ref", *command, "--report", shots / "report.html")
    assert ran.exit_code == 1 and [image["ok"] for image in said["images"]] == [True, False, True]
    assert "could not be written, for the disk is full" in said["images"][1]["error"] and "bug" not in ran.stderr
    theirs, against = np.log2([2.3, 3.2]), said["summary"]["log_rmse.log2_y"]["against"]
    assert (against["count"], against["median"]) == (2, pytest.approx(np.median(theirs), abs=1e-4))
    assert against["mean"] == pytest.approx((np.log2([1.1, 1.4]) - theirs).mean(), abs=1e-4)
    rows = list(csv.DictReader((shots / "table.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == ["shot.0001", "shot.0004"] * 2
    page = (shots / "report.html").read_text(encoding="utf-8")
    assert "2 of 3 pictures" in page


def test_frames_go_together_by_their_numbers_and_those_alone_are_named(shots):
    (shots / "ref" / "shot.0002.exr").unlink()
    patterns = [shots / folder / "shot.####.exr" for folder in ("pred", "ref")]
    ran, said = evaluated(*patterns, "--metric", "log_rmse.log2_y", "--plate", shots / "plate" / "shot.####.png")
    assert ran.exit_code == 1
    assert [(image["name"], image["ok"]) for image in said["images"]] == [("1", True), ("4", True), ("2", False)]
    assert "has no partner 2 in" in ran.stderr and "1 of 3 failed" in ran.stderr
    ran, said = evaluated(*patterns, "--frames", "1-1", "--metric", "log_rmse.log2_y")
    assert (ran.exit_code, len(said["images"])) == (0, 1)
    ran, said = evaluated(*patterns, "--frames", "1-3", "--metric", "log_rmse.log2_y")
    assert {image["name"]: image["ok"] for image in said["images"]} == {"1": True, "2": False, "3": False}
    assert f"{shots}/pred/shot.0003.exr: does not exist" in ran.stderr


def test_folders_go_together_by_stem_and_the_others_go_on(shots):
    save(shots / "pred" / "shot.0002.tif", scene(2), "float")
    save(shots / "ref" / "alone.exr", scene(2), "float")
    (shots / "pred" / "notes.txt").write_text("not a picture")
    (shots / "pred" / "shot.0004.exr").write_bytes(b"")
    ran, said = evaluated(shots / "pred", shots / "ref", "--metric", "log_rmse.log2_y")
    assert ran.exit_code == 1
    assert {image["name"]: image["ok"] for image in said["images"]} == {
        "shot.0001": True,
        "shot.0002": False,
        "shot.0004": False,
        "alone": False,
    }
    errors = {image["name"]: image["error"] for image in said["images"]}
    assert "is one of several called shot.0002" in errors["shot.0002"]
    assert "has no partner alone in" in errors["alone"]


def test_a_folder_that_is_not_there_is_one_line(shots):
    for given in ((shots / "pred", shots / "reff"), (shots / "reff", shots / "pred")):
        ran = hdrnodes("evaluate", *given)
        assert (ran.exit_code, ran.stderr) == (1, f"{shots}/reff: does not exist; check the path\n")
    (shots / "empty").mkdir()
    ran = hdrnodes("evaluate", shots / "pred", shots / "empty")
    assert (ran.exit_code, ran.stderr) == (1, f"{shots}/empty: holds no pictures; check the path\n")


def test_what_fails_before_any_comparison_is_in_the_json(shots):
    for given in ((shots / "pred", shots / "reff"), (shots / "pred", shots / "ref", "--curve", shots / "none.csv")):
        ran, said = evaluated(*given)
        assert (ran.exit_code, said["images"], said["summary"]) == (1, [], {})
        assert ran.stderr == f"{said['error']}\n" and "does not exist" in said["error"] and said["metrics"]
    _, said = evaluated(shots / "pred", shots / "ref", "--metric", "log_rmse.log2_y")
    assert said["error"] is None


@pytest.mark.parametrize("role", ["ref", "plate"])
def test_folders_and_patterns_with_nothing_in_common_are_one_line(shots, role):
    for path in (shots / role).iterdir():
        path.rename(path.with_name(path.name.replace("shot.0", f"{role}.1")))
    folders = [shots / "pred", shots / "ref", *(["--plate", shots / "plate"] if role == "plate" else [])]
    ran = hdrnodes("evaluate", *folders)
    told = f"{shots}/pred: has no picture called as one in {shots}/{role} (here shot.0001, there {role}.1001)"
    assert (ran.exit_code, ran.stderr) == (1, f"{told}; name those that belong together alike\n")
    if role == "ref":
        ran = hdrnodes("evaluate", shots / "pred" / "shot.####.exr", shots / "ref" / "ref.####.exr")
        assert (ran.exit_code, ran.stderr.count("\n")) == (1, 1) and "(here 1, there 1001)" in ran.stderr


def test_the_contact_sheet_beside_a_result_is_no_result(shots):
    save(preview_path(shots / "pred" / "shot.0002.exr"))
    whole, alone = pair_up(str(shots / "pred"), str(shots / "ref"))
    assert [each.name for each in whole] == ["shot.0001", "shot.0002", "shot.0004"] and not alone


def test_pairs_are_those_that_every_folder_has(shots):
    whole, alone = pair_up(*(str(shots / each) for each in ("pred", "ref", "plate", "other")))
    assert [each.name for each in whole] == ["shot.0001", "shot.0002", "shot.0004"] and not alone
    (shots / "plate" / "shot.0001.png").unlink()
    whole, alone = pair_up(*(str(shots / each) for each in ("pred", "ref", "plate")))
    assert [each.name for each in alone] == ["shot.0001"]
    assert "has no partner shot.0001 in" in str(alone[0].error)
