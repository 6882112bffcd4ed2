"""What rooms look like to a camera."""
