"""Kafka's topics: as they should be, as they are, and what goes through them."""
