"""The simulator held against measurements that others published: a room, and a robot at a wall."""
