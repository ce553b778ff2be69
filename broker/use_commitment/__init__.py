"""Use commitments (数据使用责任状): a template's blanks filled, and the message that a consumer signs.

The client fills and signs with what the broker fills and verifies with. See ``docs/use-commitment.md``; the
salted commitments in a signed application (:mod:`broker.apply.commitments`) are another thing.
"""
