"""Pictures computed by bands and threads: the same numbers as at once, and nothing else."""

import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest

from hdrnodes import frames, pixelwise
from hdrnodes.pixelwise import BAND, band_by_band

SHAPES = [(1, 1, 3), (1, 7, 3), (7, 1, 3), (33, 31, 3), (501, 401, 3), (3, BAND + 1, 3), (90, 2000, 1), (700, 500)]


def noise(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def formula(one, other):
    return np.where(one > 0, np.sqrt(abs(one)) * other, other / 3).clip(-1, 1)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_bands_give_the_same_bits_as_the_whole(shape):
    one, other = noise(shape), noise(shape, 1)
    answer = pixelwise.pixelwise(formula, one, other)
    np.testing.assert_array_equal(answer, formula(one, other))
    assert answer.dtype == np.float32


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_is_said_of_bands_comes_in_their_order_and_of_all_rows(shape):
    rows = np.arange(shape[0], dtype=np.float32).reshape(-1, *[1] * (len(shape) - 1)) + np.zeros(shape, np.float32)
    said = band_by_band(lambda band: (float(band.min()), float(band.max()), len(band)), rows)
    assert [lowest for lowest, _, _ in said] == sorted(lowest for lowest, _, _ in said)
    assert sum(count for _, _, count in said) == shape[0]
    assert (said[0][0], said[-1][1]) == (0, shape[0] - 1)


def test_views_that_are_not_contiguous_and_answers_of_other_types_and_channels():
    pixels = noise((300, 401, 5))[::-1, :, ::2]
    answer = pixelwise.pixelwise(lambda band: band.max(axis=2, keepdims=True) > 0, pixels)
    assert (answer.shape, answer.dtype) == ((300, 401, 1), bool)
    np.testing.assert_array_equal(answer, pixels.max(axis=2, keepdims=True) > 0)


def test_what_is_none_stays_none():
    seen = []
    pixelwise.pixelwise(lambda band, nothing: seen.append(nothing) or band, noise((400, 300, 3)), None)
    assert len(seen) > 1 and set(seen) == {None}


def test_the_answer_goes_where_it_may():
    one, other = noise((401, 300, 3)), noise((401, 300, 3), 1)
    expected = formula(one, other)
    answer = pixelwise.pixelwise(formula, one, other, reuse=other)
    assert answer is other
    np.testing.assert_array_equal(answer, expected)


@pytest.mark.parametrize("unfit", [noise((401, 300, 4)), np.zeros((401, 300, 3)), noise((401, 300, 3))], ids=str)
def test_nothing_is_put_where_it_does_not_fit_or_must_not_be_written(unfit):
    unfit.flags.writeable = unfit.shape[2] == 4 or unfit.dtype == np.float64
    before = unfit.copy()
    answer = pixelwise.pixelwise(lambda band: band + 1, noise((401, 300, 3)), reuse=unfit)
    assert answer is not unfit
    np.testing.assert_array_equal(unfit, before)


@pytest.mark.parametrize("most", [1, 2])
def test_no_more_threads_than_were_allowed_take_part(most, monkeypatch):
    monkeypatch.setattr(pixelwise, "cores", lambda: 4)
    took_part = set()

    def work(band):
        took_part.add(threading.get_ident())
        time.sleep(1e-3)  # so that the others have the time to come
        return band

    with pixelwise.threads(most):
        pixelwise.pixelwise(work, noise((100 * BAND // 500, 500, 1)))
    assert len(took_part) == most


def test_what_fails_in_a_band_is_raised_and_the_next_picture_goes_well():
    def fails(band):
        raise ArithmeticError(f"a band of {len(band)} rows")

    picture = noise((800, 500, 3))
    for _ in range(3):
        with pytest.raises(ArithmeticError, match="a band of"):
            band_by_band(fails, picture)
    np.testing.assert_array_equal(pixelwise.pixelwise(lambda band: band, picture), picture)


def test_a_function_may_compute_pictures_itself():
    inner = noise((800, 500, 3), 2)
    answers = band_by_band(lambda band: sum(band_by_band(lambda part: float(part.sum()), inner)), noise((800, 500, 3)))
    assert len(answers) > 2 and len(set(answers)) == 1


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="numpy 1 keeps it by thread")
def test_helping_threads_know_what_numpy_was_told_of_errors():
    zeros = np.zeros((800, 500, 3), np.float32)
    with warnings.catch_warnings(), np.errstate(divide="ignore"):
        warnings.simplefilter("error")
        assert np.isinf(pixelwise.pixelwise(lambda band: 1 / band, zeros)).all()


def test_answers_lie_in_scratch_files_where_memory_is_little():
    picture = noise((800, 500, 3))
    with frames.allowed(frames.PROCESS):
        answer = pixelwise.pixelwise(lambda band: 2 * band, picture)
    assert frames.scratch_of(answer) is not None
    np.testing.assert_array_equal(answer, 2 * picture)
    np.testing.assert_array_equal(pixelwise.pixelwise(lambda band: band / 2, answer), picture)


FORKED = """
import os
import numpy as np
from hdrnodes.pixelwise import pixelwise
picture = np.ones((4000, 500, 3), np.float32)
pixelwise(lambda band: band + 1, picture)
child = os.fork()
answer = pixelwise(lambda band: band + 1, picture)
if not child:
    os._exit(int(answer.min()) + 40)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="processes are not forked here")
def test_a_forked_process_has_threads_of_its_own():
    command = [sys.executable, "-W", "ignore", "-c", FORKED]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout == "42\n"
