"""Python scripts in processes of their own, in which files of strangers are opened: asked in lines of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import weakref
from contextlib import suppress
from pathlib import Path
from threading import Lock, Timer
from typing import Any

from ..import_path import import_path

# What the interpreter and its libraries are loaded with; the rest of the environment, and its secrets, stay here.
_ENVIRONMENT = ("PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "TEMP")
# The script runs as the main module; what it imports is found where this process finds it, but not in its own folder
# or the working one.
_CODE = """
import json, runpy, sys
sys.path[:] = json.loads(sys.argv.pop(1))
runpy.run_path(sys.argv[1], run_name="__main__")
"""
_LONGEST_ANSWER = 128 << 20


class ChildProcess:
    """A script that answers each line of JSON with one; it ends when it is closed, forgotten, or too slow.

    Parameters
    ----------
    script : Path
        The script; its folder is no place to import from.
    **environment : str
        Variables that it needs besides.
    """

    def __init__(self, script: Path, **environment: str) -> None:
        variables = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | environment
        pipe = subprocess.PIPE
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-c", _CODE, json.dumps(import_path()), str(script)],
            stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=variables,
        )  # fmt: skip
        self._lock = Lock()
        self.close = weakref.finalize(self, _stop, self._child)

    def ask(self, question: Any, *, seconds: float) -> dict[str, Any] | None:
        """Return the answer to a question; None where the script is gone or was stopped, as no answer came in time."""
        child = self._child
        assert child.stdin is not None
        assert child.stdout is not None
        with self._lock:
            timer = Timer(seconds, child.kill)
            timer.daemon = True
            timer.start()
            try:
                child.stdin.write(json.dumps(question, default=str).encode() + b"\n")
                child.stdin.flush()
                line = child.stdout.readline(_LONGEST_ANSWER)
            except OSError:  # it is gone already
                line = b""
            finally:
                timer.cancel()
        if not line.endswith(b"\n"):
            return None
        answer: dict[str, Any] = json.loads(line)
        return answer


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with suppress(OSError):  # what was not sent yet cannot be
                pipe.close()
