"""The subject vault: a random key for every person, apart from the log and the broker's database."""
