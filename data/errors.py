"""The one class of error that a user can mend."""

from __future__ import annotations

import errno

from .safe_text import printable, scrubbed

_LONGEST = 4000  # characters: a file may call its columns what it likes


class LagerError(ValueError):
    """Input, a file or an option that the user can put right.

    The message is one line: what was got, what was expected, what to do. The command line prints it
    without a traceback and exits with 1. It derives from ``ValueError`` because scikit-learn's
    contract asks for that from estimators that refuse their input.

    Parameters
    ----------
    message : str
        What it quotes of files, ids and paths is shown without control characters and without credentials.
    """

    def __init__(self, message: str) -> None:
        if len(message) > _LONGEST:
            message = f"{message[: _LONGEST // 2]} ... {message[-_LONGEST // 2 :]}"
        super().__init__(printable(scrubbed(message)))


_ADVICE = {
    errno.ENOSPC: "make room, or choose another disk",
    errno.EDQUOT: "make room, or choose another disk",
    errno.EFBIG: "no file may be as large here; choose another disk, or raise the limit",
    errno.EROFS: "choose a folder that can be written",
    errno.EACCES: "ask its owner, or choose another",
    errno.EPERM: "ask its owner, or choose another",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: "close other files, or raise the limit on open files (ulimit -n)",
}


def cannot_write(path: object, error: OSError) -> LagerError:
    """Return why a file or folder cannot be made, with what to do: of a name that is too long, a shorter one."""
    is_name = error.errno == errno.ENAMETOOLONG
    advice = _ADVICE[errno.ENAMETOOLONG] if is_name else "choose a folder you can write to"
    return LagerError(f"cannot write {path}: {error.strerror or error}; {advice}")


def from_system(error: OSError) -> LagerError:
    """Return what the system refused as one line: which file, why, what to do."""
    reason = error.strerror or str(error) or type(error).__name__
    if error.errno is None and error.args and isinstance(error.args[0], list):  # of shutil: one entry a file
        reason = str(error.args[0][-1][-1])
    name = f"{error.filename}: " if error.filename is not None else ""
    advice = f"; {_ADVICE[error.errno]}" if error.errno in _ADVICE else ""
    return LagerError(f"{name}{reason}{advice}")
