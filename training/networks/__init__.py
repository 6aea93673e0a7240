"""Networks trained by epochs in torch: fine-tuning, and a small network from scratch."""
