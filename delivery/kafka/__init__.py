"""Kafka, behind ports of our own: the only folder that knows kafka-python."""
