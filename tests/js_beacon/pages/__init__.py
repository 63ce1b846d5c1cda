"""Pages as third parties teach shops to write them, with our own products: what stands on them and what it must become."""
