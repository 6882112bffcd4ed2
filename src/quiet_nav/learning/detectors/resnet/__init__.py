"""The image detector: network, images to learn from, export."""
