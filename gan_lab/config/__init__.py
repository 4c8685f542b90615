"""The configuration: its keys, types and ranges, what it may instantiate, and what errors say."""
