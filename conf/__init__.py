"""The configuration of gan_lab, installed as ``gan_lab.conf``.

Hydra imports this package before it composes: here the root schema and the folder names' resolver come to be.
"""

import gan_lab.launch  # noqa: F401
