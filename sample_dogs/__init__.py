"""Sample photos: cartoon dogs, drawn from a seed, laid out as a data set that an image classifier can learn."""
