#!/bin/sh
# Packages installed while an image is made must not start their services.
exit 101
