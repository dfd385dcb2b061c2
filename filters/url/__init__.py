"""Rules on an image's URL, asked before it is fetched."""
