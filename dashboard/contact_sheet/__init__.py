"""One self-contained page: every burst with its verdict, frames and times, and the rejected files with reasons."""
