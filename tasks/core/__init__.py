"""What knows no command: settings, definitions, engines, images, proofs and their rendering."""
