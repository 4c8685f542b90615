"""First values of weights, as the papers draw them."""

from collections.abc import Callable

from torch import Tensor, nn

from gan_lab.models.layers.heads import Projection

_WEIGHTED = nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d


def draw_normal(network: nn.Module, deviation: float = 0.02) -> None:
    """Draw the weights of linear layers, convolutions and projections from N(0, deviation²), set their biases to 0."""
    for module in network.modules():
        if isinstance(module, _WEIGHTED):
            nn.init.normal_(module.weight, 0.0, deviation)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, Projection):
            nn.init.normal_(module.embedding.weight, 0.0, deviation)


def draw_glorot(network: nn.Module, gain_of_3x3: float = 2**0.5, gain: float = 1.0) -> None:
    """Draw the same weights from U(−a, a) with a = gain · √(6 / (fan_in + fan_out)), set biases to 0.

    Args:
        network: the network.
        gain_of_3x3: of convolutions of 3×3 pixels.
        gain: of all others.

    References:
        Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward neural networks, eq. 16.
    """
    for module in network.modules():
        if isinstance(module, _WEIGHTED):
            nn.init.xavier_uniform_(module.weight, gain_of_3x3 if module.weight.shape[2:] == (3, 3) else gain)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, Projection):
            nn.init.xavier_uniform_(module.embedding.weight, gain)


def draw_all(network: nn.Module, draw: Callable[[Tensor], object]) -> None:
    """Draw the weights of linear layers, convolutions and embeddings with ``draw``, in place; set biases to 0."""
    for module in network.modules():
        if isinstance(module, _WEIGHTED | nn.Embedding):
            draw(module.weight)
            if isinstance(module, _WEIGHTED) and module.bias is not None:
                nn.init.zeros_(module.bias)
