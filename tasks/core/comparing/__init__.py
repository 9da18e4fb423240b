"""What differs between two images, and between images and the sizes that were written down."""
