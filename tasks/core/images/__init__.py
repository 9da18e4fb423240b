"""Images as bytes: archives, layers, files, and what is known of what they hold."""
