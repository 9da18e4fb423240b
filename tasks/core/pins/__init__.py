"""Base images by digest: `bases.lock.json`, what it says, and how builds keep to it."""
