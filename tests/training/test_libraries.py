"""What is imported before a run's first iteration."""

import os
import subprocess
import sys

PROGRAM = """
import gc, sys
import gan_lab.training.libraries
import torchmetrics
late = ["scipy.signal", "scipy.stats", "sklearn"]
print([name for name in late if name in sys.modules], gc.isenabled())
import scipy.signal
print(scipy.signal.convolve([1, 2], [1, 3]).tolist())
"""


def test_what_the_first_iteration_does_not_need_is_imported_late_and_whole():
    """scipy.signal takes 0.5 s, scikit-learn 0.6 s; (1 + 2x)(1 + 3x) = 1 + 5x + 6x²."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM], env=dict(os.environ), capture_output=True, text=True, timeout=300
    )
    assert done.stdout == "[] True\n[1, 5, 6]\n", done.stdout + done.stderr
