"""What runs in the serving container: bytes in, prediction out. Knows nothing of AWS, of torch, or of training."""
