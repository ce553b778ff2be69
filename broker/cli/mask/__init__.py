"""The commands of ``sharebroker mask``, one module each."""
