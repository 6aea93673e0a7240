"""The worker `explain`: explains photographs on request, at the lowest priority, and requests a few by itself."""
