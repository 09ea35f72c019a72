"""Kafka's topics: as they should be, as they are, and who reads and writes them here."""
