"""Use commitments (数据使用责任状) that stand for a period: lodged once, found at each exchange, withdrawn.

``lodge`` takes and ends them, ``found`` finds those that an exchange needs. See ``docs/use-commitment.md``.
"""
