"""What a measure says that has nothing to say."""


class Undefined(Exception):
    """There is nothing to measure, and nothing to mend; the text says what is lacking."""
