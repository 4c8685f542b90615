"""Run folders: what is in them, how it is written, read, resumed, evaluated and sampled."""
