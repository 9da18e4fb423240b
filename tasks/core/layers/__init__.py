"""What the layers of an image cost, and what of it is wasted."""
