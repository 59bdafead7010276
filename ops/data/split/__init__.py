"""`kennel data split`: photos in a public layout become train/, valid/ and test/."""
