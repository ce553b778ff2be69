"""Duties after delivery (数据销毁): when the time is over, or the purpose, what was delivered is disposed of.

``ordering`` puts the order into the log, ``signed`` is what the consumer signs when it has obeyed,
``certifying`` takes that, ``rounds`` orders what is due and records what did not come in time. See
``docs/disposal.md``.
"""
