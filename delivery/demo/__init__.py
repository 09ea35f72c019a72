"""`make demo`: everything at work, from nothing, in under a minute."""
