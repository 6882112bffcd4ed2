"""What the paper's authors published: their networks and weights."""
