"""Imported by the server alone, and first: Ctrl-C then ends it without a traceback while it imports.

That takes seconds; later it ignores Ctrl-C. What it forks ends in the same way until it listens to signals itself.
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)
