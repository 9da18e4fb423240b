"""What scans find: vulnerable packages, bad Dockerfiles, secrets before they are sent."""
