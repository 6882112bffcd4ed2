"""One module a command of `quiet_nav`; heavy imports stay inside the functions."""
