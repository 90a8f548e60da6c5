"""`python -m metastudio_cli`."""

from . import main

main()
