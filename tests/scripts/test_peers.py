"""What stands beside the peers' loops is measured as it says; the peers themselves are not here, a stand-in is."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

sys.path.append(str(Path(__file__).parent.parent.parent / "scripts"))

_PEER = """
import argparse
import torch
from torchvision import datasets, transforms

generator = torch.nn.Linear(3, 784)
discriminator = torch.nn.Sequential(torch.nn.Linear(784, 1), torch.nn.Sigmoid())
opt = argparse.ArgumentParser().parse_args()
dataloader = torch.utils.data.DataLoader(
    datasets.MNIST("elsewhere", train=True, download=True, transform=transforms.ToTensor()), batch_size=2
)
optimizer = torch.optim.Adam([*generator.parameters(), *discriminator.parameters()])
for epoch in range(1000):
    for images, _ in dataloader:
        optimizer.zero_grad()
        discriminator(1 + 1e-3 * generator(torch.ones(len(images), 3))).sum().backward()
        optimizer.step()
        print("trained")
        with open("MARKS", "a") as marks:
            marks.write("x")
"""


@pytest.fixture
def places(tmp_path, data_root):
    """A folder of peers with the stand-in for one script."""
    from benchmarks.peer_networks import SCRIPTS, Places

    script = tmp_path / SCRIPTS["PyTorch-GAN, gan"].file
    script.parent.mkdir(parents=True)
    script.write_text(_PEER.replace("MARKS", str(tmp_path / "marks")))
    return Places(str(tmp_path), str(data_root))


class _Pace:
    """A race of one."""

    peak = 0.0

    def __init__(self, course):
        self.course = course
        self.done = 0

    def __call__(self):
        self.done += 1


@pytest.mark.parametrize("change", ["as it is", "Adam is fused"])
def test_a_peers_script_makes_the_iterations_of_the_race(places, capsys, change):
    from benchmarks import peer_loops
    from benchmarks.turns import Course

    folder, loader, adam = Path.cwd(), torch.utils.data.DataLoader, torch.optim.Adam
    pace = _Pace(Course(iterations=4, turn=2))
    trained, flops = peer_loops.played("PyTorch-GAN, gan", places, change, pace)
    assert (Path(places.peers) / "marks").read_text() == "x" * pace.course.length == "x" * 7
    assert pace.done == 7
    # Adam's steps are of 1e-3 at most, nearly that with steady gradients: 784 weights and a bias, 7 steps
    assert trained.ways["discriminator"] == pytest.approx(7e-3 * 785**0.5, rel=0.2)
    # 2·m·n·k of a product: both layers forward, both weights' gradients, and that of the generated pictures
    assert flops == 2 * (2 * (2 * 3 * 784) + 3 * (2 * 784 * 1))
    assert (Path.cwd(), torch.utils.data.DataLoader, torch.optim.Adam) == (folder, loader, adam)
    assert "trained" not in capsys.readouterr().out


def test_networks_are_taken_from_a_script_that_does_not_train(places):
    from benchmarks import peer_networks

    given = ("PyTorch-GAN, gan", places.peers, places.data)
    latents = torch.randn(5, 3)
    generator, discriminator = peer_networks.generator(*given), peer_networks.discriminator(*given)
    assert not (Path(places.peers) / "marks").exists()
    linear = discriminator[0]
    assert torch.equal(discriminator(generator(latents)), linear(generator(latents)))  # logits: no sigmoid


def test_a_missing_peer_is_named(places):
    from benchmarks.measuring import Scale
    from benchmarks.peers import peers

    scale = Scale(repeats=1, quick=True, device="cpu", threads=1, data=places.data, peers=places.peers)
    with pytest.raises(FileNotFoundError, match=r"^--peers \S+: it has no \S+generative_adversarial_net\.py; docs"):
        peers(scale)


def test_the_limit_is_of_the_products_that_are_made():
    from benchmarks.arithmetic import Limit, Products

    layer, convolution = nn.Linear(64, 32), nn.Conv2d(2, 3, 3)
    with Products() as products:
        layer(torch.randn(16, 64)).sum().backward()
        layer(torch.randn(16, 64))
        with torch.no_grad():
            convolution(torch.randn(4, 2, 8, 8))
    linear, filtered = 2 * 16 * 64 * 32, 2 * 4 * (6 * 6) * 3 * (2 * 3 * 3)
    assert products.flops == 3 * linear + filtered  # forward twice, and the gradient of the weights
    assert sorted(products.calls.values()) == [1, 1, 2]
    limit = Limit.of(products)
    assert 0 < limit.best <= limit.products < 1


def test_a_table_has_a_row_for_each_case():
    from benchmarks.measuring import Claim, as_markdown

    claims = [
        Claim("MLP, small: ours / theirs", {"ours": [2.0, 4.0], "theirs": [4.0, 8.0]}),
        Claim("CNN: ours / theirs", {"ours": [1500.0], "theirs": [1000.0]}),
        Claim("CNN: limit / theirs", {"limit": [0.25], "theirs": [1000.0]}),
    ]
    assert as_markdown(claims).splitlines() == [
        "|  | theirs | ours | limit |",
        "| --- | --- | --- | --- |",
        "| MLP, small | 6 ms | 3 (0.50) |  |",
        "| CNN | 1,000 ms | 1,500 (1.50) | 0.25 (0.00) |",
    ]
