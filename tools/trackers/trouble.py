class TrackerTrouble(Exception):
    """The tracker cannot be reached, or its answer cannot be used; the message says which."""
