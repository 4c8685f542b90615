"""Files that are written whole or not at all, the cache on disk, and samples as pictures."""
