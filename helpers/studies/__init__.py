"""Evidence that needs more than a notebook's minute, each by one script."""
