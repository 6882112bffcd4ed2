"""What rooms sound like: sources, image sources, and what ears hear of them."""
