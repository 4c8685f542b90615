"""Sweeps: what Hydra calls before and after their runs, and the process of each run."""
