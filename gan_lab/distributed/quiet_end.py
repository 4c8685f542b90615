"""Imported by the server alone, and first: Ctrl-C then ends it, and what it forks, without a traceback.

It imports for seconds, and a run hears Ctrl-C only when it begins. The program that started them says what happened.
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)
