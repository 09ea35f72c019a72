"""Runs hookledger where no file may be larger than so many bytes: `python limited.py BYTES WORDS`."""

from __future__ import annotations

import os
import resource
import sys

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
    os.execv(sys.executable, [sys.executable, "-m", "hookledger", *sys.argv[2:]])
