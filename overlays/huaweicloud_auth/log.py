"""The logger of this package, `huaweicloud_auth`; silent until logging is configured."""

import logging
from typing import Final

log: Final = logging.getLogger("huaweicloud_auth")
log.addHandler(logging.NullHandler())  # else Python prints warnings to stderr if logging is not configured
