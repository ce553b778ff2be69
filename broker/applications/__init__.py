"""Applications that people decide (共享申请与审核): ``states`` is what may follow what. See
``docs/applications.md``."""
