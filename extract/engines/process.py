"""A worker process of the local engine: orders come as a line of JSON on stdin, the result leaves on stdout."""

from __future__ import annotations

import json
import os
import sys
import threading

_INTERRUPTED = 130


def main() -> None:
    """Read the orders, carry them out and print the result."""
    result = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints
    call = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, name="lager-parent", daemon=True).start()

    from .call import read_call

    try:
        print(json.dumps(read_call(call)), file=result, flush=True)
    except KeyboardInterrupt:  # the terminal tells every process; the one that started this one speaks for all
        sys.exit(_INTERRUPTED)


def _end_with_parent() -> None:
    """End when the parent has: its end of the pipe closes then. What is written so far is whole."""
    sys.stdin.read()
    os._exit(1)
