"""The worker `second-look`: detects again, in tiles and with the lowest priority, what stays inconclusive."""
