"""One self-contained page with every burst: verdict, frames and times; and the rejected files with reasons."""
