"""``python -m broker.cli`` is ``sharebroker``."""

from broker.cli.main import main

main()
