"""The workers' side of the broker over Kafka."""
