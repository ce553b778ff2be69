"""sharebroker: policy-checked, masked and receipted data sharing between departments.

Open :mod:`broker.exchange` first: one exchange, five calls, in order.
"""
