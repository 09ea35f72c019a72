"""What is recorded, told on a topic."""
