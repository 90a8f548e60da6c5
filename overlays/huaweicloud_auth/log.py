"""The one logger, `huaweicloud_auth`. Silent until somebody configures logging."""

import logging
from typing import Final

log: Final = logging.getLogger("huaweicloud_auth")
log.addHandler(logging.NullHandler())  # else Python prints warnings to stderr where nobody configured anything
