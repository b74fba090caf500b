"""Commands of this floor that are more than a few lines."""
