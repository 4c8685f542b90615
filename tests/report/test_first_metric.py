"""The metric that a report begins with fits the task."""

import shutil

import pytest
from pages import answers, board, page

from gan_lab.metric_names import floor_of, in_order
from gan_lab.report.leaderboard import primary_metric

PAIRED = {"fd_classifier": 3.0, "kid_classifier": 0.1, "class_accuracy_classifier": 0.9, "psnr": 20.0, "ssim": 0.8}


@pytest.mark.parametrize(
    ("names", "first"),
    [
        ([*PAIRED, "l1"], "l1"),  # pix2pix; CycleGAN on pairs
        (["fd_random_conv", "kid_random_conv", "back_fd_random_conv", "cycle_l1"], "fd_random_conv"),  # unpaired
        (["fd_classifier", "reconstruction_l1", "reconstruction_psnr"], "fd_classifier"),  # VAE/GAN
        (["fid", "fd_pixels"], "fid"),
        (["fd_points", "modes", "reverse_kl"], "reverse_kl"),
    ],
)
def test_what_is_ranked_by(names, first):
    assert primary_metric(names) == first
    if "reverse_kl" not in names:
        assert in_order(names)[0] == first


def test_a_report_on_pairs_ranks_by_the_distance_to_the_target(run, tmp_path):
    """lsgan is nearer to the targets, hinge has the better Fréchet distance; the page shows a picture of each."""
    for seed in range(4):
        for loss, l1, fd in (("lsgan", 0.05, 4.0), ("hinge", 0.09, 1.0)):
            metrics = PAIRED | {"fd_classifier": fd + seed / 100, "l1": l1 + seed / 1000}
            words = {"loss": loss, "seed": seed, "dataset": "digits_edges", "model": "unet"}
            run(tmp_path / f"{loss}_{seed}", words, metrics, picture=True)
    text = page(tmp_path)
    assert "lsgan is better than hinge on digits_edges" in answers(text)
    assert floor_of("l1") == floor_of("cycle_psnr") == "nearest training pictures"
    assert floor_of("fd_classifier") == floor_of("back_fd_classifier") == "real data"
    assert "L1 to the target" in answers(text)
    assert board(tmp_path).primary == "l1"
    assert text.count("data:image/png;base64,") == 2 + 6  # of one seed; of the best, the median and the worst


def test_pictures_of_copies_are_shown_where_there_are_some(run, tmp_path):
    for seed in range(3):
        folder = run(tmp_path / f"a_{seed}", {"seed": seed}, picture=True)
        run(tmp_path / f"b_{seed}", {"seed": seed, "loss": "hinge"}, picture=True)
        assert "What they copy" not in page(tmp_path)
    for name in ("closest.png", "interpolations.png"):
        shutil.copy(folder / "samples" / "final.png", folder / "samples" / name)
    text = page(tmp_path)
    assert text.count("What they copy") == text.count("What lies between") == 1
    assert text.count('alt="Closest samples of') == text.count('alt="Interpolations of') == 1
    assert text.count('alt="Samples of') == 2 + 6  # of one seed; of the best, the median and the worst
