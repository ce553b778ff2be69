"""The sample city 星河市: a consistent synthetic population in one real register per department.

Open :mod:`broker.demo.city.city` first; ``docs/sample-city.md`` describes what comes out.
"""

from broker.demo.city.city import City, NewbornCase, WithdrawalCase, generate, load

__all__ = ["City", "NewbornCase", "WithdrawalCase", "generate", "load"]
