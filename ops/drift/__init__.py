"""`kennel drift`: the photos that callers send now, compared with the test photos of the model that answers them."""
