"""Acknowledgement of deliveries (交付确认): the consumer signs for what it received, or got something else.

``signed`` is the message, ``acknowledge`` takes it, ``overdue`` records what did not come in time. See
``docs/acknowledgement.md``.
"""
