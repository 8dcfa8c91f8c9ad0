"""The one class of error that a user can mend."""

from __future__ import annotations

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
