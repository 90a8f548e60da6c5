"""The one logger, `metastudio`. Silent until somebody configures logging."""

import logging
from typing import Final

log: Final = logging.getLogger("metastudio")
log.addHandler(logging.NullHandler())  # else Python prints warnings to stderr where nobody configured anything
