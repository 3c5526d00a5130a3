"""The model bank."""
