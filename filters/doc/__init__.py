"""Rules on a whole document, by the images that it keeps."""
