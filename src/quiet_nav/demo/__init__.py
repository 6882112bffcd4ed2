"""The demo without ROS: nodes as processes, their pace, what the terminal shows, the picture."""
