"""Quiet Campus folders, ROS bags and labeling by depth."""
