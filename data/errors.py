"""The one class of error that a user can mend."""


class LagerError(ValueError):
    """Input, a file or an option that the user can put right.

    The message is one line: what was got, what was expected, what to do. The command line prints it
    without a traceback and exits with 1. It derives from ``ValueError`` because scikit-learn's
    contract asks for that from estimators that refuse their input.
    """
