"""Last layers of discriminators: features ``[B, …]`` → logits ``[B]``, given labels or not."""

from collections.abc import Callable

from torch import Tensor, nn

from gan_lab.models.conditions import Judgement


class Logit(nn.Module):
    """One logit, without labels.

    Args:
        features: number of features of a sample.
        bias: whether the logit has a bias.
    """

    def __init__(self, features: int, bias: bool = True) -> None:
        super().__init__()
        self.logit = nn.Linear(features, 1, bias)

    def forward(self, features: Tensor) -> Tensor:
        """Features ``[B, …]`` → logits ``[B]``."""
        return self.logit(features.flatten(1)).squeeze(1)


class Projection(nn.Module):
    """The logit plus the inner product of the features with an embedding of the label.

    Args:
        logit: features ``[B, …]`` → one logit each.
        features: number of features of a sample.
        classes: number of classes.

    References:
        Miyato and Koyama 2018, cGANs with Projection Discriminator (arXiv 1802.05637).
    """

    def __init__(self, logit: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.logit = logit
        self.embedding = nn.Embedding(classes, features)
        bound = features**-0.5  # as the weights of a linear layer; N(0, 1) would drown the logit
        nn.init.uniform_(self.embedding.weight, -bound, bound)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features ``[B, …]`` and labels ``[B]`` → logits ``[B]``."""
        return self.logit(features).flatten() + (self.embedding(labels) * features.flatten(1)).sum(1)


class AuxiliaryClassifier(nn.Module):
    """The logit beside the logits of the classes, which a penalty and a term compare with the labels.

    Args:
        logit: features ``[B, …]`` → one logit each.
        features: number of features of a sample.
        classes: number of classes.

    References:
        Odena, Olah and Shlens 2017, Conditional Image Synthesis with Auxiliary Classifier GANs (arXiv 1610.09585).
    """

    def __init__(self, logit: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.logit = logit
        self.classifier = nn.Linear(features, classes)

    def forward(self, features: Tensor) -> Judgement:
        """Features ``[B, …]`` → logits ``[B]`` and class logits ``[B, classes]``."""
        return Judgement(self.logit(features).flatten(), self.classifier(features.flatten(1)))


class PerClassLogit(nn.Module):
    """A logit for each class, of which the label picks one.

    Args:
        features: number of features of a sample.
        classes: number of classes.

    References:
        Mescheder, Geiger and Nowozin 2018, Which Training Methods for GANs do actually Converge? (arXiv 1801.04406).
    """

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.logits = nn.Linear(features, classes)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features ``[B, …]`` and labels ``[B]`` → logits ``[B]``."""
        return self.logits(features.flatten(1)).gather(1, labels[:, None]).squeeze(1)


def head(conditioning: str, features: int, classes: int | None, logit: Callable[[], nn.Module]) -> nn.Module:
    """The last layer of a discriminator that looks at labels as asked.

    Args:
        conditioning: one of `gan_lab.models.conditions.DISCRIMINATOR_CONDITIONING`.
        features: number of features of a sample.
        classes: number of classes; None only without conditioning.
        logit: makes the layer that gives the logit without labels.
    """
    if classes is None or conditioning in ("none", "concat"):
        return logit()
    if conditioning == "projection":
        return Projection(logit(), features, classes)
    if conditioning == "auxiliary":
        return AuxiliaryClassifier(logit(), features, classes)
    return PerClassLogit(features, classes)
