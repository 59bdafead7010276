"""`make smoke`: deploy the cheapest environment to a real account, predict, update, destroy, and look what is left."""
