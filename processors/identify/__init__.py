"""Recognition of individual animals: who walked past, proposed by the machine and decided by people."""
