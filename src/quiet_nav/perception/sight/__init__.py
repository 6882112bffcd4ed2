"""Images of a camera in, near-wall readings out."""
