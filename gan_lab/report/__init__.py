"""Reads run folders and writes what they say: statistics, tables, figures, one page."""
