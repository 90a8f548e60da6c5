"""The logger of this package, `metastudio`; silent until logging is configured."""

import logging
from typing import Final

log: Final = logging.getLogger("metastudio")
log.addHandler(logging.NullHandler())  # else Python prints warnings to stderr if logging is not configured
