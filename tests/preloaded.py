"""Imported by the server that forks commands and runs: they compose, draw and write as quickly as tests do."""

import os

import quick_copies
import torch
from hydra import version
from hydra._internal.utils import create_config_search_path
from hydra.types import RunMode

from gan_lab.config.kept_loader import KeptLoader
from gan_lab.runs import latents
from gan_lab.storage import pictures

_, _, above = os.environ.pop("PYTHONPATH").partition(os.pathsep)  # by which this file was found
if above:
    os.environ["PYTHONPATH"] = above

os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

quick_copies.use()
pictures._PIXELS = 64
latents._BATCHES = 3
os.fsync = lambda _: None
version.setbase("1.3")
for words in ([], ["dataset=ring8"]):
    KeptLoader(create_config_search_path("pkg://gan_lab.conf")).load_configuration("train", words, RunMode.RUN)
