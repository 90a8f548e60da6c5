"""The counts of an access key: the gateway locks it whichever secret key was used."""

import threading

import attrs


@attrs.define(eq=False, repr=False)
class Tally:
    """Refusals in a row of one access key, with any secret key, and requests that may have been refused."""

    count: int = 0
    shut_until: float = 0.0
    mutex: threading.Lock = attrs.field(factory=threading.Lock)
