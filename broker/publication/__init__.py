"""How a bundle comes into force by two officers: what they sign, who must, and how long it stands.

Used by those who sign (the client), by the broker that takes what was signed, and again by every worker that
compiles what is in force: whoever can write to the database cannot approve. See docs/standing-approval.md.
"""
