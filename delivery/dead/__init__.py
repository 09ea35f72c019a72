"""Records that were no portal events, and giving them back."""
