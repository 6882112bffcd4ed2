"""The paper's VGGish: network, clips to learn from, export."""
