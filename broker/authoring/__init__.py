"""What officers need around policies: check, test, explain, compare. Nothing here decides an exchange."""
