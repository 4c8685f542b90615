"""What Hydra asks to lie in its own namespace; installed as ``hydra_plugins.gan_lab``."""
