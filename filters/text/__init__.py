"""Rules on a document's text, asked before any image is fetched."""
