"""The optimizer of a third player, an encoder."""

from typing import Any


def complete_encoder(config: Any) -> None:
    """Give an encoder's optimizer whose ``_target_`` is null what it lacks from the generator's."""
    optimizers = config.get("optimizer") if isinstance(config, dict) else None
    if not isinstance(optimizers, dict):
        return
    encoder, generator = optimizers.get("encoder"), optimizers.get("generator")
    if isinstance(encoder, dict) and isinstance(generator, dict) and encoder.get("_target_", "") is None:
        own = {name: value for name, value in encoder.items() if name != "_target_"}
        optimizers["encoder"] = {**generator, **own}
