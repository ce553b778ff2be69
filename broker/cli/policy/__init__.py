"""``sharebroker policy …``: what officers do with policies. One module for each family of commands."""
