"""A web view of what the robot hears, through Foxglove; from bags and live."""
