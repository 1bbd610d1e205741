"""What the requests of a project cover, what is missing, what to label next, and which subset to take."""
