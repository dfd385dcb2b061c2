"""Rules on a fetched and measured image."""
