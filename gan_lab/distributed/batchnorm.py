"""Batch normalisation over a batch that several processes share."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan_lab.distributed.collectives import global_mean, process_count


class GlobalBatchNorm(_BatchNorm):
    """BatchNorm with the statistics of the whole batch, on any device; `torch.nn.SyncBatchNorm` needs GPUs."""

    alone = False
    """Whether this process has the whole batch."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"GlobalBatchNorm: expected samples of at least 2 dimensions, got {input.ndim}")

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        if not self.training and self.running_mean is not None:
            return F.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps
            )
        samples = input.to(torch.promote_types(input.dtype, torch.float32))  # as F.batch_norm computes internally
        dims = [dim for dim in range(input.ndim) if dim != 1]

        def mean_of(values: Tensor) -> Tensor:
            return values.mean(dims, keepdim=True) if self.alone else global_mean(values, dims)

        mean = mean_of(samples)
        variance = mean_of((samples - mean).square())
        if self.training and self.running_mean is not None and self.running_var is not None:
            processes = 1 if self.alone else process_count()
            self._follow(mean, variance, processes * input.numel() // input.shape[1])
        normal = (samples - mean) * (variance + self.eps).rsqrt()
        if self.affine:
            shape = [-1 if dim == 1 else 1 for dim in range(input.ndim)]
            normal = normal * self.weight.view(shape) + self.bias.view(shape)
        return normal.to(input.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        share = self.momentum if self.momentum is not None else 1.0 / self.num_batches_tracked
        self.running_mean.lerp_(mean.flatten(), share)
        self.running_var.lerp_(variance.flatten() * count / (count - 1), share)


def over_all_processes(network: nn.Module) -> nn.Module:
    """The network with a `GlobalBatchNorm` in place of every BatchNorm, of the same weights and names."""
    if isinstance(network, _BatchNorm):
        settings = (network.num_features, network.eps, network.momentum, network.affine, network.track_running_stats)
        replacement = GlobalBatchNorm(*settings)
        replacement.load_state_dict(network.state_dict())
        return replacement.train(network.training)
    for name, child in network.named_children():
        setattr(network, name, over_all_processes(child))
    return network
