"""``sharebroker audit …``: what auditors do with receipts and the log. One module for each command."""
