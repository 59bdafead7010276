"""What would stop a deploy, found before anything is paid for (`kennel preflight`)."""
