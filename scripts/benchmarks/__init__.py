"""What `scripts/benchmark.py` measures: each module a few claims, `hand_written` what they are measured against."""
