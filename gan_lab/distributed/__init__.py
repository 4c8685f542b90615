"""Several processes that share every batch."""
