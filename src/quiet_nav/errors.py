"""The one base of errors that a user can mend; each says what was found, expected and to do."""


class QuietNavError(ValueError):
    """Bad input: a command prints it as one line and exits with 2, a node as a diagnostic."""
