"""Corrections (校核纠错): a consumer reports an error against a receipt, the provider answers in time.

Everyone who received the value is told. ``report`` takes reports, ``held`` keeps apart what they say of a
person, ``signed`` is the provider's message, ``answer`` takes it, ``duties`` records what is overdue and
tells those who received the value, whom ``recipients`` finds; ``quality`` counts.

Source: 《政务数据共享条例》 Article 26. See ``docs/corrections.md``.
"""
