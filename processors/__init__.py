"""Workers: each a Faust app of its own, from topics to topics."""
