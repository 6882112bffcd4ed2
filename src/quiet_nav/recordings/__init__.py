"""Quiet Campus folders, ROS bags and labelling by depth."""
