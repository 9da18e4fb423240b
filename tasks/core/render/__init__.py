"""Tables and documents as text: rendering returns strings, `output.emit` prints them."""
