"""The configuration of gan_lab, installed as ``gan_lab.conf``.

Hydra imports this package before it composes: here the root schema, the folder names' resolver and the sweeper come to
be. An editable install hides the sweeper from Hydra's search for plugins, so it is introduced by name.
"""

from hydra.core.plugins import Plugins
from hydra_plugins.gan_lab.tuned_sweeper import TunedSweeper
from hydra_plugins.gan_lab.vectorized_launcher import VectorizedLauncher

import gan_lab.sweeps.hydra_callback  # noqa: F401

Plugins.instance().register(TunedSweeper)
Plugins.instance().register(VectorizedLauncher)
