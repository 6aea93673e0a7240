"""Networks trained by epochs with torch: fine-tuning, and a small network from scratch."""
