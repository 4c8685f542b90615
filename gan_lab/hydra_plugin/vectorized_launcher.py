"""Runs that differ in their seed alone train as one program, in one process; all others one after another."""

from collections.abc import Sequence
from dataclasses import dataclass

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus

from gan_lab.sweeps.stacks import stacks
from gan_lab.sweeps.worker import carry_out, concluded, prepared


@dataclass
class VectorizedLauncherConf:
    """The arguments of `VectorizedLauncher`: none."""

    _target_: str = "hydra_plugins.gan_lab.vectorized_launcher.VectorizedLauncher"


ConfigStore.instance().store(
    group="hydra/launcher", name="vectorized_seeds", node=VectorizedLauncherConf, provider="gan_lab"
)


class VectorizedLauncher(BasicLauncher):
    """First every job is looked at and gets its folder, then each stack of them is trained, then all are recorded."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        self.task_function = lambda config: prepared(config, stacked=True)
        returned = list(super().launch(job_overrides, initial_job_idx))
        looked_at = [one for one in returned if one.status is JobStatus.COMPLETED]
        for jobs in stacks([one.return_value for one in looked_at]):
            carry_out(jobs)
            for one in looked_at:
                if one.return_value in jobs:
                    one.return_value = concluded(one.return_value)
        return returned
