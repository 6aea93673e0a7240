"""Power cuts: a disk that loses unsynced data, and a trace of what is synced before a response."""
