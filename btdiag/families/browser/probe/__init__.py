"""What is sent to see what a browser would meet, without one."""
