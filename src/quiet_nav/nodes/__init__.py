"""Thin ROS 2 nodes around the pure logic; the only place that imports rclpy."""
